"""`python -m training fit joint_emotic --data FOLDER`: `weights/joint_emotic` on EMOTIC, which the user brings.

`FOLDER` is what `convert-emotic` wrote. Settings, data, model, loop, in this order; the epoch of the joint system and that of
the baseline are both chosen by mean average precision on the validation people, and where there are test people, the card's
figures are theirs. What the frozen network says of each person is the long part and stays in `--out`: a run that was killed
goes on from there, and the fit over it takes minutes.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.emotions.people import CONTINUOUS, NAME, PeopleReader
from models.encoders.mini import SIDE
from models.errors import BadInput
from models.io.images import IMAGENET_MEAN, IMAGENET_STD
from training import config
from training.datasets.base import data_folder
from training.datasets.emotic import CATEGORIES
from training.emotic import data, metrics
from training.emotic.data import Part
from training.emotic.metrics import MEAN
from training.emotic.model import Joint, Late, PersonForExport, System, described
from training.emotic.report import card
from training.export import weights_folder

CLIP = 5.0  # the gradient's norm
AT_ONCE = 1024
S = TypeVar("S", Joint, Late)
Answers = tuple[np.ndarray, np.ndarray]  # logits (N, 26), ratings (N, 3)


def fit(args: argparse.Namespace) -> None:
    """Trains both systems and writes the joint one with the figures of both."""
    settings = config.read(NAME, args)
    folder, out = data_folder(args.data), Path(args.out)
    parts = {name: data.part(folder, name, args.limit) for name in ("train", "validation")}
    if (folder / "test.csv").is_file():
        parts["test"] = data.part(folder, "test", args.limit)
    if not parts["validation"].categories.any():
        raise BadInput(f"No person of the validation part in {folder} has a category: an epoch cannot be chosen.")
    variants = dict.fromkeys(parts, 1) | {"train": settings["variants"]}
    seen = {
        name: data.seen(people, out / "cache", variants=variants[name], seed=settings["seed"])
        for name, people in parts.items()
    }
    torch.manual_seed(settings["seed"])
    joint = Joint(described(), settings["dropout"], settings["scale"], settings["hardness"])
    joint, history = train(joint, seen, parts, settings)
    torch.manual_seed(settings["seed"])
    late, _ = train(Late(settings["dropout"]), seen, parts, settings)
    (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    asked = "test" if "test" in parts else "validation"
    write(
        joint,
        compared(joint, late, seen[asked][0], parts[asked], asked),
        settings,
        history,
        {n: len(p) for n, p in parts.items()},
    )


def train(
    system: S, seen: dict[str, np.ndarray], parts: dict[str, Part], settings: dict[str, Any]
) -> tuple[S, list[dict[str, float]]]:
    """The system at its best epoch, and the losses and the validation's mean average precision of all epochs."""
    people, features = parts["train"], seen["train"]
    system.standardise.learn(torch.from_numpy(features[0].astype(np.float32)))
    optimizer = torch.optim.AdamW(system.parameters(), lr=settings["rate"], weight_decay=settings["weight_decay"])
    size = min(settings["batch"], len(people))
    steps = settings["epochs"] * (len(people) // size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))
    )
    share = {"align": settings["align"], "categories": 1.0, "ratings": settings["ratings"]}
    best, kept, history = -math.inf, copy.deepcopy(system.state_dict()), list[dict[str, float]]()
    for epoch in range(settings["epochs"]):
        rng = np.random.default_rng((settings["seed"], epoch))
        system.train()
        told: dict[str, list[float]] = {}
        order = rng.permutation(len(people))[: len(people) // size * size].reshape(-1, size)
        for rows in tqdm(order, desc=f"epoch {epoch + 1} of {settings['epochs']}", disable=None):
            losses = system.losses(data.batch(features, people, rows, rng))
            loss = torch.stack([share[name] * part for name, part in losses.items()]).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(system.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            for name, part in {"loss": loss, **losses}.items():
                told.setdefault(name, []).append(part.item())
        held = parts["validation"]
        logits, _ = answers(system, seen["validation"][0])
        score = metrics.category_metrics(held.categories, logits, held.pictures, resamples=1)[MEAN]
        history.append(
            {"epoch": epoch + 1, **{name: round(float(np.mean(part)), 5) for name, part in told.items()}, MEAN: score}
        )
        if score >= best:  # of equals the later, whose ratings have learned for longer
            best, kept = score, copy.deepcopy(system.state_dict())
    system.load_state_dict(kept)
    return system.eval(), history


@torch.no_grad()
def answers(system: System, seen: np.ndarray) -> Answers:
    """Logits and ratings of all people; `system` is left in its evaluating state."""
    if isinstance(system, nn.Module):
        system.eval()
    found = [
        system.answer(torch.from_numpy(seen[at : at + AT_ONCE].astype(np.float32)))
        for at in range(0, len(seen), AT_ONCE)
    ]
    logits, ratings = (torch.cat(part).numpy() for part in zip(*found, strict=True))
    return logits, np.clip(ratings, 1, 10)  # as `PeopleReader` answers


def compared(joint: Joint, late: Late, seen: np.ndarray, people: Part, part: str) -> dict[str, dict[str, float]]:
    """Figures of both systems and of their difference on one part's people."""
    rows = {"rows": len(people)}
    ours, theirs = answers(joint, seen), answers(late, seen)
    chosen = " (epoch chosen on these rows)" if part == "validation" else ""
    report: dict[str, dict[str, float]] = {}
    for name, (logits, ratings) in (("", ours), (", baseline (separate embeddings, late combination)", theirs)):
        figures = metrics.category_metrics(people.categories, logits, people.pictures)
        report[f"emotic, {part}{name}{chosen}"] = rows | figures | metrics.rating_metrics(people.continuous, ratings)
    more = metrics.difference(people.categories, ours[0], theirs[0], people.pictures)
    return report | {f"emotic, {part}, joint minus baseline": rows | more}


def write(
    joint: Joint,
    figures: dict[str, dict[str, float]],
    settings: dict[str, Any],
    history: list[dict[str, float]],
    rows: dict[str, int],
) -> None:
    """The folder with its card."""
    axes = {name: {0: "batch"} for name in ("context", "body")}
    pixels: list[Tensor] = [torch.randn(2, 3, 224, 224) for _ in axes]
    graph = weights_folder.trace(
        PersonForExport(joint).eval(),
        pixels,
        names=list(axes),
        outputs=["categories", "continuous", "vector"],
        dynamic=axes,
    )
    weights_folder.write(
        NAME,
        config={
            "kind": "people in photographs: EMOTIC's categories and ratings from a joint space",
            "preprocessing": {
                "side": SIDE,
                "mean": IMAGENET_MEAN.tolist(),
                "std": IMAGENET_STD.tolist(),
                "resize": "squash, bicubic",
            },
            "labels": list(CATEGORIES),
            "ratings": list(CONTINUOUS),
            "width": 512,
            "temperature": round(1 / float(joint.temperature()), 4),
            "recipe": settings,
        },
        metrics={**figures, "curves": history},
        readme=card(figures, rows),
        graph=graph,
        bits=8,
    )
    PeopleReader()  # what was written can be read
