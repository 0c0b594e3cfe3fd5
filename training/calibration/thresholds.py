"""Platt and temperature scaling, and thresholds on probabilities: one for a binary task, one a label, the bands for review.

All are chosen on validation rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

Source = tuple[np.ndarray, np.ndarray]  # logits (or probabilities) and labels (0 or 1) of the rows of one data set
GRID = np.arange(0.05, 0.951, 0.01)  # candidates for the threshold of a label
SMOOTHING = 5.0  # steps of the grid


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


def choose_threshold(sources: Sequence[Source]) -> float:
    """The threshold in .2-.8 with the best macro-F1, a mean over the sources (probabilities, labels)."""

    def score(threshold: float) -> float:
        return float(np.mean([f1_score(y_true, probs >= threshold, average="macro") for probs, y_true in sources]))

    return round(float(max(np.arange(0.2, 0.801, 0.01), key=score)), 2)


def choose_bands(
    hateful: np.ndarray, miss_rate: float, harmless: Sequence[tuple[np.ndarray, float]]
) -> dict[str, float]:
    """`review_from` and `hateful_from`, the probabilities between which a person should look.

    At most `miss_rate` of the `hateful` rows lie below the first. Of each set of `harmless` rows at most the fraction given
    with it lies above the second. `review_from` is .45 at most, `hateful_from` between .55 and .95.
    """
    review_from = min(0.45, float(np.quantile(hateful, miss_rate)))
    limits = [float(np.quantile(probs, 1 - false_alarm_rate)) for probs, false_alarm_rate in harmless]
    return {"review_from": round(review_from, 3), "hateful_from": round(min(0.95, max(0.55, *limits)), 3)}


def best_f1_thresholds(probs: np.ndarray, y_true: np.ndarray, *, smoothing: float = 0.0) -> np.ndarray:
    """For each label the threshold with the best F1; among equals the one nearest to .5. Arrays are [rows, labels].

    With `smoothing`, F1 as a function of the threshold is first blurred by a Gaussian of that many steps of .01.
    """
    best = []
    for label_probs, label_true in zip(probs.T, y_true.T, strict=True):
        scores = _f1_by_threshold(label_probs, label_true)
        if smoothing:
            scores = gaussian_filter1d(scores, smoothing, mode="nearest")
        ties = GRID[np.isclose(scores, max(scores))]
        best.append(ties[np.abs(ties - 0.5).argmin()])
    return np.array(best).round(2)


def expected_f1_thresholds(probs: np.ndarray, y_true: np.ndarray) -> np.ndarray:
    """For each label the threshold with the best F1 that the model itself expects (Lipton et al. 2014, section 3).

    The expectation is over the labels that its probabilities, Platt-scaled on `y_true`, give to all rows: a label that
    13 rows have is then judged by thousands.
    """
    best = []
    for label_probs, label_true in zip(probs.T, y_true.T, strict=True):
        scaled = label_probs
        if label_true.any() and not label_true.all():
            logits = logit(label_probs.clip(1e-5, 1 - 1e-5))[:, None]
            scaled = LogisticRegression().fit(logits, label_true).predict_proba(logits)[:, 1]
        best.append(GRID[_f1_by_threshold(label_probs, scaled).argmax()])
    return np.array(best).round(2)


def _f1_by_threshold(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """F1 at each threshold of `GRID`, expected where `labels` [rows] are probabilities; 0 where nothing is positive."""
    predicted = probs >= GRID[:, None]  # (thresholds, rows)
    return np.asarray(2 * (predicted @ labels) / np.maximum(labels.sum() + predicted.sum(1), 1e-9))


def choose_label_thresholds(probs: np.ndarray, y_true: np.ndarray) -> np.ndarray:
    """The mean of the smoothed best threshold and the expected one: both err less on unseen rows than the raw best."""
    best = best_f1_thresholds(probs, y_true, smoothing=SMOOTHING)
    return ((best + expected_f1_thresholds(probs, y_true)) / 2).round(3)


def cross_fitted_f1(probs: np.ndarray, y_true: np.ndarray, *, folds: int = 5, repeats: int = 4) -> float:
    """Macro-F1 of rows whose thresholds were chosen on the other folds; a mean over `repeats` divisions into folds."""
    scores = []
    for seed in range(repeats):
        fold = np.random.default_rng(seed).permutation(len(y_true)) % folds
        predicted = np.zeros(y_true.shape, bool)
        for number in range(folds):
            test = fold == number
            predicted[test] = probs[test] >= choose_label_thresholds(probs[~test], y_true[~test])
        scores.append(f1_score(y_true, predicted, average="macro", zero_division=0))
    return float(np.mean(scores))
