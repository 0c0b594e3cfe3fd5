"""`python -m training fit picture_emotions`: valence and arousal of photographs, and a baseline.

The network stays as ImageNet taught it; what is fitted is a ridge regression over kernels of its stages. The width of the
kernels and alpha of the ridge are chosen by cross-validation over the training rows; the validation rows only report.
What ships is fitted on both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from tqdm import tqdm

from models import weights
from models.emotions.affect import GROUPS, MEANS, SIDES, Looker, kernel
from models.io.images import open_picture
from training.backbones.pretrained import efficientnet
from training.config import load_config, overrides_of
from training.datasets.base import Row, data_folder
from training.datasets.oasis import OASIS
from training.export import weights_folder
from training.export.cards import render_card
from training.features.cache import cached_arrays
from training.metrics import regression

TARGETS = ("valence", "arousal")
Groups = list[np.ndarray]  # one [rows, width] for each of GROUPS
Axes = list[tuple[np.ndarray, np.ndarray]]  # mean [features] and principal axes [features, width] of each group
Ratings = Mapping[str, np.ndarray]  # by target, float [rows]


@dataclass(frozen=True)
class PictureEmotionsConfig:
    """`configs/picture_emotions.toml`, which says what each setting means."""

    seed: int
    folds: int
    width: int
    gammas: tuple[float, ...]
    alphas: tuple[float, ...]

    def cross_validation(self) -> KFold:
        """The folds, the same at each call."""
        return KFold(self.folds, shuffle=True, random_state=self.seed)


class Stages(nn.Module):
    """Pixels (B, 3, H, W) to the mean of each of five stages and the logits of the ImageNet classes."""

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = efficientnet()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Means (B, channels) in the order of `MEANS`, then logits (B, 1000)."""
        net, means = self.network, []
        x = net.bn1(net.conv_stem(pixels))
        for number, block in enumerate(net.blocks):
            x = block(x)
            if number >= len(net.blocks) - (len(MEANS) - 1):
                means.append(x.mean((2, 3)))
        head = net.bn2(net.conv_head(x)).mean((2, 3))
        return (*means, head, net.classifier(head))


def fit(args: argparse.Namespace) -> None:
    """Writes `weights/picture_emotions`."""
    config = load_config("picture_emotions", PictureEmotionsConfig, overrides_of(args))
    folder = data_folder(args.data)
    rows = {split: OASIS.load(split, folder)[0][: args.limit] for split in ("train", "validation")}
    _write(config)  # the network first: the features below come through the graph that ships
    looker = Looker(weights.card("picture_emotions"))
    train, validation = (features(rows[split], looker, Path(args.out), split) for split in rows)
    ratings = {split: ratings_of(rows[split]) for split in rows}
    kernels, crossed = choose(train, ratings["train"], config)
    predicted = predict(train, ratings["train"], validation, kernels, config.width)
    plain = baseline(train, ratings["train"], config)
    counts = {split: {"rows": len(rows[split])} for split in rows}
    metrics = {
        f"cross-validation over {len(rows['train'])} training rows (settings chosen here)": counts["train"]
        | regression.metrics(ratings["train"], crossed, TARGETS),
        f"{len(rows['validation'])} validation rows": counts["validation"]
        | regression.metrics(ratings["validation"], predicted, TARGETS),
        "baseline, ridge on the head's mean, cross-validated": regression.metrics(ratings["train"], plain, TARGETS),
    }
    both = [np.concatenate(groups) for groups in zip(train, validation, strict=True)]
    both_ratings = {name: np.concatenate([ratings[split][name] for split in rows]) for name in TARGETS}
    tensors, settings = final(both, both_ratings, kernels, config.width)
    columns = dict(zip(("crossed", "validation", "baseline"), metrics.values(), strict=True))
    _write(
        config,
        tensors,
        {"kernel": settings, "arousal_middle": float(both_ratings["arousal"].mean())},
        metrics,
        render_card("picture_emotions", rows=len(both[0]), folds=config.folds, **columns),
    )


def features(rows: Sequence[Row], looker: Looker, folder: Path, split: str) -> Groups:
    """The network's outputs for each photograph, cached in `folder`."""
    images = [row.image or b"" for row in rows]

    def compute() -> dict[str, np.ndarray]:
        outputs = [looker.look(open_picture(image).image) for image in tqdm(images, disable=None)]
        return {group: np.stack([output[group] for output in outputs]) for group in GROUPS}

    key: list[str | bytes] = [weights.card("picture_emotions").identity, *images]
    return list(cached_arrays(folder, f"features-{split}", key, compute).values())


def ratings_of(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """The mean ratings of the rows."""
    return {name: np.array([float(row.details[f"{name}_mean"]) for row in rows]) for name in TARGETS}


def principal_axes(groups: Groups, width: int) -> Axes:
    """Mean and principal axes of each group; columns are scaled to the same spread first unless they are probabilities."""
    axes = []
    for name, group in zip(GROUPS, groups, strict=True):
        mean = group.mean(0)
        spread = np.ones(group.shape[1]) if name.startswith("classes") else group.std(0) + 1e-6
        pca = PCA(min(width, *group.shape), svd_solver="randomized", random_state=0).fit((group - mean) / spread)
        axes.append((mean.astype(np.float32), (pca.components_.T / spread[:, None]).astype(np.float32)))
    return axes


def project(groups: Groups, axes: Axes) -> Groups:
    """The rows' coordinates along the axes."""
    return [(group - mean) @ directions for group, (mean, directions) in zip(groups, axes, strict=True)]


def mean_squared_distances(groups: Groups) -> list[float]:
    """The mean squared distance between two rows, by group."""
    return [float(2 * group.var(0).sum()) for group in groups]


def dual_weights(gram: np.ndarray, y_true: np.ndarray, alpha: float) -> np.ndarray:
    """The dual weights of kernel ridge regression on a kernel matrix [rows, rows]."""
    return cho_solve(cho_factor(gram + alpha * np.eye(len(gram))), y_true - y_true.mean())


def choose(
    groups: Groups, ratings: Ratings, config: PictureEmotionsConfig
) -> tuple[dict[str, tuple[float, float]], dict[str, np.ndarray]]:
    """(gamma, alpha) of each target with the best Pearson's r in cross-validation, and the predictions there."""
    folds = []
    for train, test in config.cross_validation().split(groups[0]):  # the axes too are those of the training rows
        axes = principal_axes([group[train] for group in groups], config.width)
        left, right = (project([group[rows] for group in groups], axes) for rows in (train, test))
        folds.append((train, test, left, right, mean_squared_distances(left)))
    best_r = dict.fromkeys(TARGETS, -np.inf)
    chosen, predictions = dict[str, tuple[float, float]](), dict[str, np.ndarray]()
    for gamma in config.gammas:
        kernels = [
            (train, test, kernel(left, left, scales, gamma), kernel(right, left, scales, gamma))
            for train, test, left, right, scales in folds
        ]
        for alpha, name in product(config.alphas, TARGETS):
            y_pred = np.zeros(len(groups[0]))
            for train, test, gram, cross_gram in kernels:
                y_true = ratings[name][train]
                y_pred[test] = y_true.mean() + cross_gram @ dual_weights(gram, y_true, alpha)
            r = float(pearsonr(y_pred, ratings[name]).statistic)
            if r > best_r[name]:
                best_r[name], chosen[name], predictions[name] = r, (gamma, alpha), y_pred
    return chosen, predictions


def predict(
    train: Groups, ratings: Ratings, test: Groups, kernels: Mapping[str, tuple[float, float]], width: int
) -> dict[str, np.ndarray]:
    """Ratings of the rows `test` by a regression on `train`; `kernels` are (gamma, alpha) of each target."""
    axes = principal_axes(train, width)
    left, right = project(train, axes), project(test, axes)
    scales, predictions = mean_squared_distances(left), {}
    for name, (gamma, alpha) in kernels.items():
        dual = dual_weights(kernel(left, left, scales, gamma), ratings[name], alpha)
        predictions[name] = ratings[name].mean() + kernel(right, left, scales, gamma) @ dual
    return predictions


def baseline(groups: Groups, ratings: Ratings, config: PictureEmotionsConfig) -> dict[str, np.ndarray]:
    """Cross-validated predictions of ridge regression on the standardised mean of the head's patches at 224 pixels."""
    head = groups[GROUPS.index(f"head_{SIDES[0]}")]
    model = make_pipeline(StandardScaler(), Ridge(alpha=2.0 * head.shape[1]))
    return {name: cross_val_predict(model, head, ratings[name], cv=config.cross_validation()) for name in TARGETS}


def final(
    groups: Groups, ratings: Ratings, kernels: Mapping[str, tuple[float, float]], width: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors and kernel settings that ship."""
    axes = principal_axes(groups, width)
    rows = [group.astype(np.float16).astype(np.float32) for group in project(groups, axes)]  # as they will be read
    scales, settings, dual = mean_squared_distances(rows), {}, []
    for name, (gamma, alpha) in kernels.items():
        dual.append(dual_weights(kernel(rows, rows, scales, gamma), ratings[name], alpha))
        settings[name] = {
            "gamma": gamma, "strength": alpha, "offset": float(ratings[name].mean()),
            "scales": [round(scale, 6) for scale in scales],
        }  # fmt: skip
    tensors = {"weights": np.stack(dual).astype(np.float32)}
    for group, (mean, directions), coordinates in zip(GROUPS, axes, rows, strict=True):
        tensors |= {
            f"{group}.mean": mean,
            f"{group}.axes": directions.astype(np.float16),
            f"{group}.known": coordinates.astype(np.float16),
        }
    return tensors, settings


@cache
def _traced() -> onnx.ModelProto:
    axes = {"pixels": {0: "batch", 2: "height", 3: "width"}}
    example = [torch.randn(2, 3, 224, 256)]
    return weights_folder.trace(Stages().eval(), example, names=["pixels"], outputs=[*MEANS, "classes"], dynamic=axes)


def _write(
    config: PictureEmotionsConfig,
    tensors: Mapping[str, np.ndarray] | None = None,
    settings: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    card: str = "",
) -> None:
    graph = onnx.ModelProto()  # a copy each time: writing takes the weights out of it
    graph.CopyFrom(_traced())
    weights_folder.write(
        "picture_emotions",
        config={
            "kind": "valence and arousal of photographs: kernel ridge on EfficientNet-Lite0",
            "recipe": json.loads(json.dumps(asdict(config))),
            **(settings or {}),
        },
        metrics=metrics or {},
        readme=card,
        tensors=tensors,
        graph=graph,
        bits=8,
    )
