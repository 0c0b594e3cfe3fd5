"""`python -m training fit picture_emotions`: valence and arousal of photographs, and a baseline.

The network stays as ImageNet taught it; what is fitted is a ridge regression over kernels of its stages. The width of the
kernels and alpha of the ridge are chosen by cross-validation over the training rows; the validation rows only report.
What ships is fitted on both.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
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
from models.emotions.affect import GROUPS, MEANS, SIDES, FeatureExtractor, kernel
from models.io.images import open_picture
from training.backbones.pretrained import efficientnet
from training.config import Config, load_config, overrides_of
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
class PictureEmotionsConfig(Config):
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
        head, stages = self.network.forward_intermediates(pixels, indices=len(MEANS) - 1, extra_blocks=True)
        means = [stage.mean((2, 3)) for stage in (*stages, head)]
        return (*means, self.network.classifier(means[-1]))


class PrincipalSpace:
    """Groups of features of some rows along the principal axes of these rows, and the kernels between rows there.

    Columns are scaled to the same spread before the axes are found, unless they are probabilities.
    """

    def __init__(self, groups: Groups, width: int) -> None:
        self.axes: Axes = []
        for name, group in zip(GROUPS, groups, strict=True):
            mean = group.mean(0)
            spread = np.ones(group.shape[1]) if name.startswith("classes") else group.std(0) + 1e-6
            pca = PCA(min(width, *group.shape), svd_solver="randomized", random_state=0).fit((group - mean) / spread)
            self.axes.append((mean.astype(np.float32), (pca.components_.T / spread[:, None]).astype(np.float32)))
        self.rows = self.project(groups)

    def project(self, groups: Groups) -> Groups:
        """The coordinates of any rows along the axes."""
        return [(group - mean) @ directions for group, (mean, directions) in zip(groups, self.axes, strict=True)]

    def scales(self) -> list[float]:
        """The mean squared distance between two of its rows, by group."""
        return [float(2 * group.var(0).sum()) for group in self.rows]

    def kernel(self, gamma: float, groups: Groups | None = None) -> np.ndarray:
        """The kernel [rows, own rows] of other rows, or of its own."""
        return kernel(self.rows if groups is None else self.project(groups), self.rows, self.scales(), gamma)


def fit(args: argparse.Namespace) -> None:
    """Writes `weights/picture_emotions`."""
    config = load_config("picture_emotions", PictureEmotionsConfig, overrides_of(args))
    folder = data_folder(args.data)
    rows = {split: OASIS.load(split, folder)[0][: args.limit] for split in ("train", "validation")}
    axes, names = {"pixels": {0: "batch", 2: "height", 3: "width"}}, [*MEANS, "classes"]
    graph = weights_folder.trace(
        Stages().eval(), [torch.randn(2, 3, 224, 256)], names=["pixels"], outputs=names, dynamic=axes
    )
    kind = "valence and arousal of photographs: kernel ridge on EfficientNet-Lite0"
    card = {"kind": kind, "recipe": asdict(config)}
    write = partial(weights_folder.write, "picture_emotions", graph=graph, bits=8)
    write(config=card, metrics={}, readme="")  # the network first: the features come through the graph that ships
    extractor = FeatureExtractor(weights.card("picture_emotions"))
    train, validation = (features(rows[split], extractor, Path(args.out), split) for split in rows)
    ratings = {
        split: {name: np.array([float(row.details[f"{name}_mean"]) for row in rows[split]]) for name in TARGETS}
        for split in rows
    }
    kernels, crossed = choose(train, ratings["train"], config)
    predicted = predict(train, ratings["train"], validation, kernels, config.width)
    columns = {
        "crossed": {"rows": len(rows["train"])} | regression.metrics(ratings["train"], crossed, TARGETS),
        "validation": {"rows": len(rows["validation"])} | regression.metrics(ratings["validation"], predicted, TARGETS),
        "baseline": regression.metrics(ratings["train"], baseline(train, ratings["train"], config), TARGETS),
    }
    titles = (
        f"cross-validation over {len(rows['train'])} training rows (settings chosen here)",
        f"{len(rows['validation'])} validation rows",
        "baseline, ridge on the head's mean, cross-validated",
    )
    both = [np.concatenate(groups) for groups in zip(train, validation, strict=True)]
    both_ratings = {name: np.concatenate([ratings[split][name] for split in rows]) for name in TARGETS}
    tensors, settings = final(both, both_ratings, kernels, config.width)
    write(
        config=card | {"kernel": settings, "arousal_middle": float(both_ratings["arousal"].mean())},
        tensors=tensors,
        metrics=dict(zip(titles, columns.values(), strict=True)),
        readme=render_card("picture_emotions", rows=len(both[0]), folds=config.folds, **columns),
    )


def features(rows: Sequence[Row], extractor: FeatureExtractor, folder: Path, split: str) -> Groups:
    """The network's outputs for each photograph, cached in `folder`."""
    images = [row.image or b"" for row in rows]

    def compute() -> dict[str, np.ndarray]:
        outputs = [extractor.extract(open_picture(image).image) for image in tqdm(images, disable=None)]
        return {group: np.stack([output[group] for output in outputs]) for group in GROUPS}

    key: list[str | bytes] = [weights.card("picture_emotions").identity, *images]
    return list(cached_arrays(folder, f"features-{split}", key, compute).values())


def dual_weights(gram: np.ndarray, y_true: np.ndarray, alpha: float) -> np.ndarray:
    """The dual weights of kernel ridge regression on a kernel matrix [rows, rows]."""
    return cho_solve(cho_factor(gram + alpha * np.eye(len(gram))), y_true - y_true.mean())


def choose(
    groups: Groups, ratings: Ratings, config: PictureEmotionsConfig
) -> tuple[dict[str, tuple[float, float]], dict[str, np.ndarray]]:
    """(gamma, alpha) of each target with the best Pearson's r in cross-validation, and the predictions there."""
    folds = [  # the axes too are those of the training rows
        (train, test, PrincipalSpace([group[train] for group in groups], config.width))
        for train, test in config.cross_validation().split(groups[0])
    ]
    candidates: dict[str, list[tuple[float, tuple[float, float], np.ndarray]]] = {name: [] for name in TARGETS}
    for gamma in config.gammas:
        kernels = [
            (train, test, space.kernel(gamma), space.kernel(gamma, [group[test] for group in groups]))
            for train, test, space in folds
        ]
        for alpha, name in product(config.alphas, TARGETS):
            y_pred = np.zeros(len(groups[0]))
            for train, test, gram, cross_gram in kernels:
                y_true = ratings[name][train]
                y_pred[test] = y_true.mean() + cross_gram @ dual_weights(gram, y_true, alpha)
            candidates[name].append((float(pearsonr(y_pred, ratings[name]).statistic), (gamma, alpha), y_pred))
    best = {name: max(candidates[name], key=itemgetter(0)) for name in TARGETS}
    return {name: best[name][1] for name in TARGETS}, {name: best[name][2] for name in TARGETS}


def predict(
    train: Groups, ratings: Ratings, test: Groups, kernels: Mapping[str, tuple[float, float]], width: int
) -> dict[str, np.ndarray]:
    """Ratings of the rows `test` by a regression on `train`; `kernels` are (gamma, alpha) of each target."""
    space, predictions = PrincipalSpace(train, width), {}
    for name, (gamma, alpha) in kernels.items():
        dual = dual_weights(space.kernel(gamma), ratings[name], alpha)
        predictions[name] = ratings[name].mean() + space.kernel(gamma, test) @ dual
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
    space = PrincipalSpace(groups, width)
    space.rows = [group.astype(np.float16).astype(np.float32) for group in space.rows]  # as they will be read
    settings, dual = {}, []
    for name, (gamma, alpha) in kernels.items():
        dual.append(dual_weights(space.kernel(gamma), ratings[name], alpha))
        settings[name] = {
            "gamma": gamma, "strength": alpha, "offset": float(ratings[name].mean()),
            "scales": [round(scale, 6) for scale in space.scales()],
        }  # fmt: skip
    tensors = {"weights": np.stack(dual).astype(np.float32)}
    for group, (mean, directions), coordinates in zip(GROUPS, space.axes, space.rows, strict=True):
        tensors |= {
            f"{group}.mean": mean,
            f"{group}.axes": directions.astype(np.float16),
            f"{group}.known": coordinates.astype(np.float16),
        }
    return tensors, settings
