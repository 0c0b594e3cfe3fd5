"""Platt and temperature scaling: from logits to probabilities that say how often a model is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from sklearn.linear_model import LogisticRegression

Source = tuple[np.ndarray, np.ndarray]  # logits and labels (0 or 1) of the rows of one data set


@dataclass(frozen=True)
class PlattScaling:
    """probability = sigmoid(scale * logit + offset) (Platt 1999)."""

    scale: float
    offset: float

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of logits of any shape."""
        return np.asarray(expit(self.scale * logits + self.offset))


def fit_platt(sources: Sequence[Source]) -> PlattScaling:
    """Fits both numbers; all sources count the same, whatever their sizes, and so do both labels."""
    logits = np.concatenate([logits for logits, _ in sources])[:, None]
    y_true = np.concatenate([labels for _, labels in sources])
    weight = np.concatenate([np.full(len(labels), 1 / len(labels)) for _, labels in sources])
    weight = weight / np.where(y_true == 1, weight[y_true == 1].sum(), weight[y_true == 0].sum())
    model = LogisticRegression(C=1e4).fit(logits, y_true, sample_weight=weight * len(y_true))
    return PlattScaling(round(float(model.coef_[0, 0]), 4), round(float(model.intercept_[0]), 4))


def fit_temperature(logits: np.ndarray, y_true: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017) for logits [rows, classes]."""

    def nll(temperature: float) -> float:
        return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(y_true)), y_true].mean())

    return float(minimize_scalar(nll, bounds=(0.2, 5), method="bounded").x)
