"""Linear paths beside the networks (Cheng et al. 2016, "Wide & Deep"): logistic regressions on the mean token of a side.

The two sets of memes are small and soon known by heart. A strongly regularised linear model generalises about as well
as co-attention there and errs elsewhere, so that the sum of both logits ranks unseen memes better; a path from sentences
keeps what the tower alone knew about them. Out-of-fold figures with and without the paths are in the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.engine.linear_branch import LinearBranch
from training.features.tokens import ImageTokens, TextTokens
from training.hate.data import HEADS, Data, Rows


@dataclass(frozen=True)
class Path:
    """`weight` times a logistic regression with C = `strength` from the mean token of `side` to `head`, fitted on `rows`."""

    head: str
    rows: str
    side: str
    strength: float
    weight: float

    def __post_init__(self) -> None:
        if self.head not in HEADS or self.side not in ("words", "picture"):
            raise ValueError(f"A path leads from words or picture to {' or '.join(HEADS)}: {self}")


def fit(data: Data, paths: Sequence[Path], *, image_width: int, text_width: int) -> LinearBranch:
    """All paths on all of their rows, as the layers that are shipped."""
    found = LinearBranch({"image": image_width, "text": text_width}, len(HEADS))
    with torch.no_grad():
        for path in paths:
            features, here = mean_tokens(data, data.rows[path.rows], path.side)
            slope, offset = regress(features[here], data.rows[path.rows].label[here], path)
            layer = found.layers["text" if path.side == "words" else "image"]
            layer.weight[HEADS.index(path.head)] += torch.from_numpy(slope).float()
            layer.bias[HEADS.index(path.head)] += offset
    return found


def regress(features: np.ndarray, labels: np.ndarray, path: Path) -> tuple[np.ndarray, float]:
    """Slope [width] and offset of the path's logistic regression; standardising is folded into both."""
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=path.strength, max_iter=300).fit(scaler.transform(features), labels)
    slope = path.weight * model.coef_[0] / scaler.scale_
    return slope, float(path.weight * model.intercept_[0] - slope @ scaler.mean_)


def out_of_fold(data: Data, path: Path, parts: np.ndarray, name: str | None = None) -> np.ndarray:
    """What the path adds to each of the rows `name` (its own, if not given) without having seen them: float32 [rows].

    It is fitted on the other folds where these are its own rows, else once on its own.
    """
    name = name or path.rows
    features, here = mean_tokens(data, data.rows[name], path.side)
    labels, added = data.rows[path.rows].label, np.zeros(len(features), np.float32)
    if name != path.rows:
        own, there = mean_tokens(data, data.rows[path.rows], path.side)
        slope, offset = regress(own[there], labels[there], path)
        added[here] = features[here] @ slope + offset
        return added
    for one in np.unique(parts):
        slope, offset = regress(features[here & (parts != one)], labels[here & (parts != one)], path)
        unseen = here & (parts == one)
        added[unseen] = features[unseen] @ slope + offset
    return added


def mean_tokens(data: Data, rows: Rows, side: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean token of one side, float32 [rows, width], zeros where a row lacks it; and where it is there, bool [rows]."""
    index = rows.text if side == "words" else rows.picture
    mean = _mean_words(data.texts, index) if side == "words" else _mean_patches(data.pictures, index)
    return mean, index >= 0


def _mean_words(texts: TextTokens, index: np.ndarray) -> np.ndarray:
    found = np.zeros((len(index), texts.tokens.shape[1]), np.float32)
    for at, text in enumerate(index):
        if text >= 0:
            found[at] = texts.tokens[texts.starts[text] : texts.starts[text + 1]].astype(np.float32).mean(0)
    return found


def _mean_patches(pictures: ImageTokens, index: np.ndarray) -> np.ndarray:
    found = np.zeros((len(index), pictures.tokens.shape[2]), np.float32)
    for at, picture in enumerate(index):
        if picture >= 0:
            found[at] = pictures.tokens[picture].astype(np.float32).mean(0)
    return found
