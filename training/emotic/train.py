"""`python -m training fit joint_emotic --data FOLDER`: `weights/joint_emotic` on EMOTIC, which the user brings.

`FOLDER` is what `convert-emotic` wrote. The epochs of the joint model and of the baseline are both chosen by mean average
precision on the validation people; where there are test people, the card's metrics are theirs. The features of the frozen
network take most of the time and stay in `--out`: a run that was killed continues from there, and training on them takes
minutes.
"""

import argparse
import copy
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from models.emotions.people import CONTINUOUS, NAME, PeopleReader
from models.encoders.mini import SIDE
from models.errors import BadInput
from models.io.images import IMAGENET_MEAN, IMAGENET_STD
from training.config import Config, load_config, overrides_of
from training.datasets.base import data_folder
from training.datasets.emotic import CATEGORIES, People, read_people
from training.emotic import metrics
from training.emotic.metrics import MEAN, category_key
from training.emotic.model import MIN_STD, EmoticModel, JointModel, LateFusion, PersonForExport, encode_descriptions
from training.engine.schedules import cosine_with_warmup, optimize
from training.export import weights_folder
from training.export.cards import render_card
from training.retrieval.data import stage_features

MAX_NORM = 5.0  # of the gradient
KEY_ROWS = 64  # enough to tell data sets apart
BATCH_SIZE = 1024  # people, for predictions
Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True)
class EmoticConfig(Config):
    """`configs/joint_emotic.toml`, where the settings are explained."""

    seed: int
    epochs: int
    batch_size: int
    variants: int
    lr: float
    weight_decay: float
    dropout: float
    scale: float
    hardness: float
    align_weight: float
    ratings_weight: float


def fit(args: argparse.Namespace) -> None:
    """Trains both models and writes the joint one with the metrics of both."""
    config = load_config(NAME, EmoticConfig, overrides_of(args))
    folder, out = data_folder(args.data), Path(args.out)
    names = ["train", "validation", *(["test"] if (folder / "test.csv").is_file() else [])]
    splits = {name: read_people(folder, name, args.limit) for name in names}
    if not splits["validation"].categories.any():
        raise BadInput(f"No person of the validation split in {folder} has a category: an epoch cannot be chosen.")
    variants = dict.fromkeys(splits, 1) | {"train": config.variants}
    features = {
        name: person_features(splits[name], out / "cache", variants=variants[name], seed=config.seed) for name in splits
    }
    torch.manual_seed(config.seed)
    joint = JointModel(encode_descriptions(), config.dropout, config.scale, config.hardness)
    history = train(joint, features, splits, config)
    torch.manual_seed(config.seed)
    late = LateFusion(config.dropout)
    train(late, features, splits, config)
    (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    report = compare(joint, late, features[names[-1]][0], splits[names[-1]], names[-1])
    write(joint, report, config, history, {name: len(people) for name, people in splits.items()})


def person_features(people: People, cache: Path, *, variants: int, seed: int) -> np.ndarray:
    """Features of context and body side by side, float16 (variants, N, 3424)."""
    sides = people.context, people.body
    rows = np.linspace(0, len(people) - 1, min(len(people), KEY_ROWS)).astype(int)
    key = [str(len(people)), *(side[row].tobytes() for row in rows for side in sides)]
    views = [lambda row, side=side: Image.fromarray(np.asarray(side[row])) for side in sides]
    return stage_features(views, len(people), key, cache, variants=variants, size=SIDE, seed=seed)


def batch(features: np.ndarray, people: People, rows: np.ndarray, rng: np.random.Generator) -> dict[str, Tensor]:
    """These people, each in a random variant, as tensors."""
    variants = rng.integers(len(features), size=len(rows))
    return {
        "features": torch.from_numpy(features[variants, rows].astype(np.float32)),
        "categories": torch.from_numpy(people.categories[rows]),
        "continuous": torch.from_numpy(people.continuous[rows]),
    }


def train(
    model: EmoticModel, features: dict[str, np.ndarray], splits: dict[str, People], config: EmoticConfig
) -> list[dict[str, float]]:
    """Trains in place to the best epoch; returns the losses and the validation's mean average precision of all epochs."""
    people, validation = splits["train"], splits["validation"]
    model.standardize.fit(torch.from_numpy(features["train"][0].astype(np.float32)), MIN_STD)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    batch_size = min(config.batch_size, len(people))
    steps = len(people) // batch_size
    schedule = cosine_with_warmup(optimizer, steps=config.epochs * steps)
    loss_weights = {"align": config.align_weight, "categories": 1.0, "ratings": config.ratings_weight}
    best, best_state, history = -math.inf, copy.deepcopy(model.state_dict()), list[dict[str, float]]()
    for epoch in range(config.epochs):
        rng = np.random.default_rng((config.seed, epoch))
        model.train()
        logged = []
        order = rng.permutation(len(people))[: steps * batch_size].reshape(steps, batch_size)
        for rows in tqdm(order, desc=f"epoch {epoch + 1} of {config.epochs}", disable=None):
            losses = model.losses(batch(features["train"], people, rows, rng))
            loss = torch.stack([loss_weights[name] * value for name, value in losses.items()]).sum()
            optimize(loss, optimizer, schedule, MAX_NORM)
            logged.append({"loss": loss.item(), **{name: value.item() for name, value in losses.items()}})
        logits, _ = predict(model, features["validation"][0])
        score = metrics.category_metrics(validation.categories, logits, validation.pictures, resamples=1)[MEAN]
        means = {name: round(float(np.mean([losses[name] for losses in logged])), 5) for name in logged[0]}
        history.append({"epoch": epoch + 1, **means, MEAN: score})
        if score >= best:  # of equals the later, whose ratings were trained for longer
            best, best_state = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    return history


@torch.no_grad()
def predict(model: EmoticModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 26) and ratings (N, 3) of all people; leaves the model in its evaluation state."""
    model.eval()
    batches = [model(batch.float()) for batch in torch.from_numpy(features).split(BATCH_SIZE)]
    logits, ratings = (torch.cat(outputs).numpy() for outputs in zip(*batches, strict=True))
    return logits, np.clip(ratings, 1, 10)  # as `PeopleReader` predicts


def compare(joint: JointModel, late: LateFusion, features: np.ndarray, people: People, split: str) -> Metrics:
    """Metrics of both models and of their difference on the people of one split."""
    rows = {"rows": len(people)}
    note = " (epoch chosen on these rows)" if split == "validation" else ""
    ours, theirs = predict(joint, features), predict(late, features)
    report: Metrics = {}
    for name, (logits, ratings) in (("", ours), (", baseline (separate embeddings, late combination)", theirs)):
        by_category = metrics.category_metrics(people.categories, logits, people.pictures)
        report[f"emotic, {split}{name}{note}"] = rows | by_category | metrics.rating_metrics(people.continuous, ratings)
    gain = metrics.difference(people.categories, ours[0], theirs[0], people.pictures)
    return report | {f"emotic, {split}, joint minus baseline": rows | gain}


def write(
    model: JointModel, report: Metrics, config: EmoticConfig, history: list[dict[str, float]], counts: dict[str, int]
) -> None:
    """Writes the folder with its card and checks that it can be read.

    `report` holds the metrics of the joint model, of the baseline and of their difference, in this order.
    """
    (test_set, joint), (_, late), (_, gain) = report.items()
    names = {MEAN: "mean average precision"} | {category_key(name): name for name in CATEGORIES}
    names |= {f"{name}_mae": f"{name}, mean absolute error" for name in CONTINUOUS}
    names |= {f"{name}_pearson": f"{name}, Pearson's r" for name in CONTINUOUS}
    axes = {name: {0: "batch"} for name in ("context", "body")}
    pixels, outputs = [torch.randn(2, 3, SIDE, SIDE) for _ in axes], ("categories", "continuous", "vector")
    graph = weights_folder.trace(PersonForExport(model), pixels, names=list(axes), outputs=outputs, dynamic=axes)
    mean, std = IMAGENET_MEAN.tolist(), IMAGENET_STD.tolist()
    weights_folder.write(
        NAME,
        config={
            "kind": "people in photographs: EMOTIC's categories and ratings from a joint space",
            "preprocessing": {"side": SIDE, "mean": mean, "std": std, "resize": "squash, bicubic"},
            "labels": list(CATEGORIES),
            "ratings": list(CONTINUOUS),
            "width": 512,
            "temperature": round(1 / model.scale().item(), 4),
            "recipe": asdict(config),
        },
        metrics={**report, "curves": history},
        readme=render_card(NAME, test_set=test_set, joint=joint, baseline=late, gain=gain, names=names, people=counts),
        graph=graph,
        bits=8,
    )
    PeopleReader()
