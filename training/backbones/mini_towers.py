"""`python -m training fit mini_towers`: both towers into `weights/`, with their projections into one space of 512.

The projections are fitted on frozen pooled features of Flickr8k's photographs and captions with InfoNCE (van den Oord
et al. 2018; Radford et al. 2021, section 2.3): a picture and its caption lie near each other.
"""

import argparse
import io
import math
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from models import weights
from models.encoders import mini
from models.encoders.base import JOINT, masked_mean
from models.errors import BadWeights
from models.io.images import IMAGENET_MEAN, IMAGENET_STD
from models.tokenizers.wordpieces import Vocabulary
from training.backbones import pretrained
from training.backbones.e5 import WIDTH
from training.backbones.mini_words import OUTPUTS
from training.backbones.sentences import SentenceSchedule, SentenceTower
from training.config import Config, load_config, overrides_of
from training.datasets.base import data_folder
from training.engine.losses import symmetric_info_nce
from training.engine.schedules import optimize
from training.export import weights_folder
from training.export.cards import render_card

TOKENS = ("tokens", "pooled")
BATCH_SIZE = 64  # photographs that are encoded together
MAX_SCALE = 100.0


@dataclass(frozen=True)
class MiniTowersConfig(Config):
    """`configs/mini_towers.toml`: how the projections are trained."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    seed: int


def fit(args: argparse.Namespace) -> None:
    """Writes both folders; raises `BadWeights` without `mini_words.pt`, which `fit mini_words` leaves beside `args.out`."""
    config = load_config("mini_towers", MiniTowersConfig, overrides_of(args))
    L.seed_everything(config.seed, verbose=False)
    folder, out = data_folder(args.data), Path(args.out)
    checkpoint = out.parent / "mini_words" / "mini_words.pt"
    if not checkpoint.is_file():
        raise BadWeights(f"{checkpoint} is missing: run `python -m training fit mini_words` first.")
    sentence_tower = SentenceTower(len(OUTPUTS), SentenceSchedule(), steps=1)
    sentence_tower.load_state_dict(torch.load(checkpoint, weights_only=True))
    image_projection, text_projection = nn.Linear(1280, JOINT), nn.Linear(2 * WIDTH, JOINT)
    picture = pretrained.PictureForExport(pretrained.efficientnet(), image_projection)
    words = pretrained.WordTokensForExport(sentence_tower.eval().tower, text_projection)
    write(picture, words, recall=0.0)  # with untrained projections: the features below come through these graphs
    train, validation = (
        pooled_features(pd.read_parquet(folder / f"flickr8k.{split}.parquet")[: args.limit])
        for split in ("train", "validation")
    )
    align(image_projection, text_projection, *train, config)
    write(picture, words, recall=recall_at_10(image_projection, text_projection, *validation))


def pooled_features(frame: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Mean patches (N, 1280) of photographs and mean words (N, 5, 768) of their five captions."""
    encoder = mini.MiniEncoder()
    images, texts = [], []
    for start in range(0, len(frame), BATCH_SIZE):
        rows = frame[start : start + BATCH_SIZE]
        pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in rows.image]
        images.append(encoder.encode_images(pictures).tokens.mean(1))
        words = encoder.encode_texts(rows.captions.explode().tolist())
        means = masked_mean(words.tokens, words.mask)
        texts.append(means.reshape(len(rows), -1, means.shape[-1]).astype(np.float32))
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(texts))


def align(image: nn.Linear, text: nn.Linear, images: Tensor, texts: Tensor, config: MiniTowersConfig) -> None:
    """Fits both projections in place, on features (N, 1280) and (N, captions, 768)."""
    scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    parameters = [*image.parameters(), *text.parameters(), scale]
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
    for _ in range(config.epochs):
        for rows in torch.randperm(len(images)).split(config.batch_size):
            caption = texts[rows, torch.randint(texts.shape[1], (len(rows),))]
            left, right = normalize(image(images[rows]), dim=-1), normalize(text(caption), dim=-1)
            optimize(symmetric_info_nce(left, right, scale.exp().clamp(max=MAX_SCALE)), optimizer)


@torch.no_grad()
def recall_at_10(image: nn.Linear, text: nn.Linear, images: Tensor, texts: Tensor) -> float:
    """The fraction of pictures with one of their five captions among the ten nearest of all captions."""
    left = normalize(image(images), dim=-1)  # (N, 512)
    right = normalize(text(texts.flatten(0, 1)), dim=-1)  # (5N, 512)
    nearest = (left @ right.T).topk(10, dim=1).indices // texts.shape[1]  # (N, 10): whose caption it is
    return float((nearest == torch.arange(len(images))[:, None]).any(1).float().mean())


def write(picture: pretrained.PictureForExport, words: pretrained.WordTokensForExport, *, recall: float) -> None:
    """`weights/mini_picture` and `weights/mini_words`."""
    metrics = {"flickr8k validation, picture to caption, recall at 10": recall}
    mean_and_std = {"mean": IMAGENET_MEAN.tolist(), "std": IMAGENET_STD.tolist()}
    preprocessing = {"side": mini.SIDE, "resize": "squash, bicubic", **mean_and_std}
    weights_folder.write(
        "mini_picture",
        config={"kind": "EfficientNet-Lite0 patch tokens", "preprocessing": preprocessing, "tokens": 49, "width": 1280},
        metrics=metrics,
        readme=render_card("mini_picture", recall=recall),
        graph=pretrained.export_picture(picture),
    )
    weights_folder.write(
        "mini_words",
        config={
            "kind": "multilingual-e5-small pieces, fourth and last layer",
            "vocabulary": weights.card("mini_vocabulary").identity,
            "longest": Vocabulary().max_length,
            "width": 2 * WIDTH,
        },
        metrics=metrics,
        readme=render_card("mini_words", recall=recall),
        graph=pretrained.quantize(pretrained.export_words(words, TOKENS)),
    )
