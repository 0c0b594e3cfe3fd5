"""Linear branches beside the networks (Cheng et al. 2016, "Wide & Deep"): logistic regressions on the mean token of a modality.

The two sets of memes are small and soon known by heart. A strongly regularised linear model generalises about as well
as co-attention there and errs elsewhere, so that the sum of both logits ranks unseen memes better; a branch from sentences
keeps what the text tower alone knew about them. Out-of-fold metrics with and without the branches are in the card.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from models.fusion.base import masked_mean
from training.engine.linear_branch import LinearBranch
from training.hate.config import HEADS, LinearBranchConfig
from training.hate.data import BATCH_SIZE, Data, Rows


def fit(data: Data, configs: Sequence[LinearBranchConfig]) -> LinearBranch:
    """All branches, each fitted on all of its rows, as the layers that are shipped; standardising is folded into them."""
    fitted = [(config, *_fitted(data, config).named_steps.values()) for config in configs]
    branch = LinearBranch({config.modality: len(scaler.mean_) for config, scaler, _ in fitted}, len(HEADS))
    for config, scaler, model in fitted:
        slope = config.weight * model.coef_[0] / scaler.scale_
        layer = cast(nn.Linear, branch.layers[config.modality])
        layer.weight[HEADS.index(config.head)] += torch.from_numpy(slope).float()
        layer.bias[HEADS.index(config.head)] += float(config.weight * model.intercept_[0] - slope @ scaler.mean_)
    return branch


def out_of_fold(data: Data, config: LinearBranchConfig, folds: np.ndarray, name: str | None = None) -> np.ndarray:
    """The branch's logits float32 [rows] for the rows `name` (default: its own), fitted without the row's fold.

    Where these are not its own rows, it is fitted once on all of its own.
    """
    rows = data.rows[name or config.rows]
    features, present = mean_tokens(data, rows, config.modality)
    if name in (None, config.rows):
        split, labels = PredefinedSplit(folds[present]), rows.label[present]
        decisions = cross_val_predict(
            _regression(config), features[present], labels, cv=split, method="decision_function"
        )
    else:
        decisions = _fitted(data, config).decision_function(features[present])
    logits = np.zeros(len(features), np.float32)
    logits[present] = config.weight * decisions
    return logits


def _regression(config: LinearBranchConfig) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=config.C, max_iter=300))


def _fitted(data: Data, config: LinearBranchConfig) -> Pipeline:
    features, present = mean_tokens(data, data.rows[config.rows], config.modality)
    return _regression(config).fit(features[present], data.rows[config.rows].label[present])


def mean_tokens(data: Data, rows: Rows, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean token float32 [rows, width], zeros where a row lacks the modality; and whether it has it, bool [rows]."""
    tokens, index = (data.texts, rows.text) if modality == "text" else (data.pictures, rows.picture)
    batches = np.split(index, range(BATCH_SIZE, len(index), BATCH_SIZE))
    return np.concatenate([masked_mean(*tokens.batch(batch)).numpy() for batch in batches]), index >= 0
