"""Linear paths beside the networks (Cheng et al. 2016, "Wide & Deep"): logistic regressions on the mean token of a modality.

The two sets of memes are small and soon known by heart. A strongly regularised linear model generalises about as well
as co-attention there and errs elsewhere, so that the sum of both logits ranks unseen memes better; a path from sentences
keeps what the text tower alone knew about them. Out-of-fold metrics with and without the paths are in the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from models.fusion.base import masked_mean
from training.engine.linear_branch import LinearBranch
from training.hate.config import HEADS, LinearPath
from training.hate.data import BATCH_SIZE, Data, Rows


def fit(data: Data, paths: Sequence[LinearPath], *, image_width: int, text_width: int) -> LinearBranch:
    """All paths, each fitted on all of its rows, as the layers that are shipped."""
    branch = LinearBranch({"image": image_width, "text": text_width}, len(HEADS))
    with torch.no_grad():
        for path in paths:
            rows = data.rows[path.rows]
            features, present = mean_tokens(data, rows, path.modality)
            slope, offset = regress(features[present], rows.label[present], path)
            layer = cast(nn.Linear, branch.layers[path.modality])
            layer.weight[HEADS.index(path.head)] += torch.from_numpy(slope).float()
            layer.bias[HEADS.index(path.head)] += offset
    return branch


def regress(features: np.ndarray, labels: np.ndarray, path: LinearPath) -> tuple[np.ndarray, float]:
    """Slope [width] and offset of the path's logistic regression; standardising is folded into both."""
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=path.C, max_iter=300).fit(scaler.transform(features), labels)
    slope = path.weight * model.coef_[0] / scaler.scale_
    return slope, float(path.weight * model.intercept_[0] - slope @ scaler.mean_)


def out_of_fold(data: Data, path: LinearPath, folds: np.ndarray, name: str | None = None) -> np.ndarray:
    """The path's logits float32 [rows] for the rows `name` (default: its own), fitted without the row's fold.

    Where these are not its own rows, it is fitted once on all of its own.
    """
    name = name or path.rows
    features, present = mean_tokens(data, data.rows[name], path.modality)
    labels, logits = data.rows[path.rows].label, np.zeros(len(features), np.float32)
    if name != path.rows:
        own_features, own_present = mean_tokens(data, data.rows[path.rows], path.modality)
        slope, offset = regress(own_features[own_present], labels[own_present], path)
        logits[present] = features[present] @ slope + offset
        return logits
    for fold in np.unique(folds):
        train, test = present & (folds != fold), present & (folds == fold)
        slope, offset = regress(features[train], labels[train], path)
        logits[test] = features[test] @ slope + offset
    return logits


def mean_tokens(data: Data, rows: Rows, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean token float32 [rows, width], zeros where a row lacks the modality; and whether it has it, bool [rows]."""
    tokens, index = (data.texts, rows.text) if modality == "text" else (data.pictures, rows.picture)
    batches = np.split(index, range(BATCH_SIZE, len(index), BATCH_SIZE))
    return np.concatenate([masked_mean(*tokens.batch(batch)).numpy() for batch in batches]), index >= 0
