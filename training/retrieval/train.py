"""`python -m training fit joint_flickr8k`: `weights/joint_picture` and `weights/joint_words`, trained on Flickr8k.

Two stages: both projections on the features of the frozen towers, then the projections with the upper half of the text
tower. The moving average of the weights is checked every few steps by retrieval among the 1,000 validation photographs and
their 5,000 captions, and the best check ships. The card also shows the baseline of `training.retrieval.baseline`, which
reads the same frozen features, and the difference with its interval.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from models import weights
from models.io.images import open_picture
from models.search.joint_space import JointSpace
from training.backbones.minilm import write_vocabulary
from training.backbones.pretrained import efficientnet, export_words
from training.config import Config, load_config, overrides_of
from training.datasets.base import Row, data_folder
from training.datasets.flickr8k import FLICKR8K
from training.engine.losses import symmetric_info_nce
from training.engine.schedules import cosine_with_warmup, moving_average, optimize
from training.export import weights_folder
from training.export.cards import render_card
from training.metrics import retrieval
from training.metrics.retrieval import Ranks
from training.retrieval import baseline
from training.retrieval.data import Pairs, encode_captions, encode_with_trained_tower, export_pixels, photo_features
from training.retrieval.model import IMAGE_SIZE, JointModel, Stages, TextForExport

MAX_NORM = 5.0  # of the gradient
PROJECTIONS = 1  # keeps the random numbers of the first stage apart from those of the second
FALSE_PAIRS = 1e-5  # fraction of pairs of different photographs that may be called near-duplicates


@dataclass(frozen=True)
class JointConfig(Config):
    """`configs/joint_flickr8k.toml`, where the settings are explained."""

    seed: int
    variants: int
    weight_decay: float
    dropout_image: float
    dropout_text: float
    scale: float
    hardness: float
    ema_decay: float
    check_every: int
    projection_batch_size: int
    projection_steps: int
    projection_lr: float
    batch_size: int
    steps: int
    lr: float
    lr_text: float
    warmup: int


def fit(args: argparse.Namespace) -> None:
    """Trains, or resumes from `args.out`, and writes both folders."""
    config = load_config("joint_flickr8k", JointConfig, overrides_of(args))
    folder, out = data_folder(args.data), Path(args.out)
    torch.manual_seed(config.seed)
    model = JointModel(config.dropout_image, config.dropout_text, config.scale)
    pairs = []
    for split, variants in (("train", config.variants), ("validation", 1)):
        rows = FLICKR8K.load(split, folder)[0][: args.limit]
        photos = photo_features(rows, out / "cache", variants=variants, seed=config.seed)
        captions = [row.details["captions"] for row in rows]
        pairs.append(Pairs(photos, encode_captions(model.text, captions, out / "cache")))
    training, validation = pairs
    baseline_ranks = baseline.best_ranks(training, validation, seed=config.seed)
    model = train(model, training, validation, config, out, args.resume)
    write(model, baseline_ranks, config, validation, rows)


def train(
    model: JointModel, pairs: Pairs, validation: Pairs, config: JointConfig, out: Path, resume: bool = False
) -> JointModel:
    """Returns the moving average of the weights at the check with the best sum of recalls."""
    out.mkdir(parents=True, exist_ok=True)
    model.image.standardize.fit(pairs.plain_photos)
    last = out / "last.pt"
    checkpoint = torch.load(last, weights_only=True) if resume and last.is_file() else None
    if checkpoint is None:
        train_projections(model, pairs, config)
    average = moving_average(model, config.ema_decay, warmup=True)
    averaged: JointModel = average.module  # type: ignore[assignment]
    groups = [
        {"params": [p for p in model.text.tower.parameters() if p.requires_grad], "lr": config.lr_text},
        {"params": [*model.image.parameters(), *model.text.projection.parameters()], "lr": config.lr},
        {"params": [model.log_scale], "lr": config.lr, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)
    schedule = cosine_with_warmup(optimizer, warmup=config.warmup, steps=config.steps)
    state: dict[str, Any] = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    start, best, history, losses = 0, -math.inf, list[dict[str, float]](), list[float]()
    if checkpoint is not None:
        for name, component in state.items():
            component.load_state_dict(checkpoint[name])
        start, best, history = checkpoint["step"], checkpoint["best"], checkpoint["history"]

    def check(step: int) -> None:
        nonlocal best
        recalls = retrieval.recalls(rank(averaged, validation))
        loss = {"loss": round(float(np.mean(losses[-config.check_every :])), 4)} if losses else {}
        history.append({"step": step, **loss, **recalls})
        if sum(recalls.values()) > best:
            best = sum(recalls.values())
            torch.save(averaged.state_dict(), out / "best.pt")
        (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
        states = {name: component.state_dict() for name, component in state.items()}
        torch.save(states | {"step": step, "best": best, "history": history}, last)

    if checkpoint is None:
        check(0)
    for step in tqdm(range(start, config.steps), desc="both", initial=start, disable=None):
        model.train()
        photos, captions = pairs.draw(config.batch_size, np.random.default_rng((config.seed, step)))
        with torch.autocast("cpu", torch.bfloat16):
            text = encode_with_trained_tower(model.text, pairs.captions, captions)  # (B, 512)
        loss = symmetric_info_nce(text, model.image(photos), model.scale(), hardness=config.hardness)
        optimize(loss, optimizer, schedule, MAX_NORM)
        average.update_parameters(model)
        losses.append(loss.item())
        if (step + 1) % config.check_every == 0 or step + 1 == config.steps:
            check(step + 1)
    model.load_state_dict(torch.load(out / "best.pt", weights_only=True))
    return model.eval()


def train_projections(model: JointModel, pairs: Pairs, config: JointConfig) -> None:
    """Trains both projections in place on the features of the frozen towers."""
    model.text.projection.standardize.fit(pairs.captions.means)
    parameters = [*model.image.parameters(), *model.text.projection.parameters(), model.log_scale]
    optimizer = torch.optim.AdamW(parameters, lr=config.projection_lr, weight_decay=config.weight_decay)
    schedule = cosine_with_warmup(optimizer, steps=config.projection_steps)
    model.train()
    for step in tqdm(range(config.projection_steps), desc="projections", disable=None):
        rng = np.random.default_rng((config.seed, PROJECTIONS, step))
        photos, captions = pairs.draw(config.projection_batch_size, rng)
        text = model.text.projection(pairs.captions.means[captions])
        loss = symmetric_info_nce(text, model.image(photos), model.scale(), hardness=config.hardness)
        optimize(loss, optimizer, schedule)


@torch.no_grad()
def rank(model: JointModel, pairs: Pairs) -> Ranks:
    """The ranks of each photograph's captions and of each caption's photograph."""
    model.eval()
    images = model.image(pairs.plain_photos)
    with torch.autocast("cpu", torch.bfloat16):
        text = encode_with_trained_tower(model.text, pairs.captions, range(len(pairs.captions.owner)))
    return retrieval.ranks((images @ text.T).numpy(), pairs.captions.owner)


def write(
    model: JointModel, baseline_ranks: Ranks, config: JointConfig, validation: Pairs, rows: Sequence[Row]
) -> None:
    """Writes both folders, then their metrics on the validation rows by the graphs that ship."""
    write_vocabulary()
    shared = {"width": 512, "temperature": round(1 / model.scale().item(), 4), "recipe": asdict(config)}
    images: dict[str, Any] = {
        "kind": "EfficientNet-Lite0 in a joint space of pictures and words",
        "preprocessing": {**weights.card("mini_picture").setting("preprocessing"), "side": IMAGE_SIZE},
        "same": near_duplicate_threshold(model, validation),
    }
    vocabulary = {"minilm_vocabulary": weights.card("minilm_vocabulary").identity}
    texts: dict[str, Any] = {"kind": "MiniLM-L6 in a joint space of pictures and words", "vocabulary": vocabulary}
    image_graph = export_pixels(nn.Sequential(Stages(efficientnet()), model.image), IMAGE_SIZE, "vector")
    text_graph = export_words(TextForExport(model.text), ("vector",))
    folders = {"joint_picture": (images, image_graph), "joint_words": (texts, text_graph)}
    for name, (settings, graph) in folders.items():
        weights_folder.write(name, config=settings | shared, metrics={}, readme="", graph=graph, bits=8)
    shipped = ranks_as_shipped(rows)
    joint, late = retrieval.metrics(shipped), retrieval.metrics(baseline_ranks)
    gain = retrieval.difference(shipped, baseline_ranks)
    metrics = {
        "flickr8k, validation (stop chosen on these rows)": {"rows": len(rows), **joint},
        "flickr8k, validation, baseline (separate embeddings, late combination)": {"rows": len(rows), **late},
        "flickr8k, validation, joint minus baseline": {"rows": len(rows), **gain},
    }
    for name in folders:
        readme = render_card(name, joint=joint, baseline=late, gain=gain)
        weights_folder.report(name, metrics=metrics, readme=readme)


@torch.no_grad()
def near_duplicate_threshold(model: JointModel, pairs: Pairs) -> float:
    """The cosine that all but one in 100,000 pairs of different photographs stay below."""
    vectors = model.image(pairs.plain_photos)
    cosines = (vectors @ vectors.T).numpy()[np.triu_indices(len(vectors), 1)]
    return round(float(np.quantile(cosines, 1 - FALSE_PAIRS)), 3) if len(cosines) else 1.0


def ranks_as_shipped(rows: Sequence[Row]) -> Ranks:
    """Ranks by the graphs that ship, in 8 bits, through the app's own code."""
    space = JointSpace()
    images = space.embed_images([open_picture(row.image or b"").image for row in rows])
    texts = space.embed_texts([caption for row in rows for caption in row.details["captions"]])
    owner = np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])
    return retrieval.ranks(images @ texts.T, owner)
