"""Classification metrics as one flat dict: `auroc`, `auroc_low`, `auroc_high`, `auroc_majority`, and so on.

- auroc: area under the ROC curve; over several labels the plain mean of one label against the rest.
- accuracy: fraction of rows predicted right; with several labels a row the whole set must be right.
- macro_f1, weighted_f1: F1 of each label, averaged plainly or by how often the label is true.
- brier: mean squared error of the probabilities; for one of several classes summed over the classes (Brier 1950).
- ece: expected calibration error (Guo et al. 2017), 15 bins of equal width, absolute differences: of the positive
  class's probability for yes or no, else of the likeliest class's.
- `_low`, `_high`: the 95% percentile interval over bootstrap resamples of the rows.
- `_majority`: the score of always predicting the commonest label, with the labels' frequencies as probabilities.

A metric that the rows do not define (the AUROC of rows with one label) is left out rather than set to something.
Fractions of what is displayed (`review_rate`, ...) have no baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from training.metrics import bootstrap
from training.metrics.bootstrap import RESAMPLES, Statistics
from training.metrics.intervals import metric_entry

BINS = 15

Metrics = dict[str, float]


class TargetPredictions(NamedTuple):
    """Predictions of one target: (N,) true class numbers, (N, C) probabilities, (N,) predicted class numbers."""

    y_true: np.ndarray
    probs: np.ndarray
    y_pred: np.ndarray


def binary(
    y_true: Sequence[int],
    probs: Sequence[float],
    *,
    threshold: float = 0.5,
    verdicts: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
) -> Metrics:
    """Metrics of (N,) labels 0/1 and probabilities of 1; a row counts as predicted 1 from `threshold` on.

    `verdicts` are what the bands make of each row (`hateful`, `needs_review`, `not_hateful`). They add
    `shown_hateful_rate` and `review_rate`, fractions of all rows, and `false_alarm_rate`, the fraction of the rows
    labelled 0 whose verdict is hateful.
    """
    true, prob = np.asarray(y_true, int), np.asarray(probs, float)
    pred = (prob >= threshold).astype(int)
    rates: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # values, and the mask of the rows that they are averaged over
    if verdicts is not None:
        all_rows, hateful = np.ones(len(true), bool), np.asarray(verdicts) == "hateful"
        review = np.asarray(verdicts) == "needs_review"
        rates = {"shown_hateful_rate": (hateful, all_rows), "review_rate": (review, all_rows)}
        if (true == 0).any():
            rates["false_alarm_rate"] = (hateful, true == 0)

    def scores(prob: np.ndarray, pred: np.ndarray) -> Metrics:
        return {
            **_accuracy_and_f1(true, pred),
            "brier": brier_score_loss(true, prob, pos_label=1),
            "ece": binary_calibration_error(torch.from_numpy(prob), torch.from_numpy(true), n_bins=BINS).item(),
            **_auroc(true[:, None], prob[:, None]),
        }

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, true == pred),
            **bootstrap.f1_scores(counts, _one_hot(true, 2), _one_hot(pred, 2), count_absent=False),
            "brier": bootstrap.mean(counts, (prob - true) ** 2),
            "ece": bootstrap.ece(counts, prob, true, BINS),
            "auroc": bootstrap.auroc(counts, true, prob),
            **{name: bootstrap.mean(counts, values, mask) for name, (values, mask) in rates.items()},
        }

    frequency = true.mean()
    majority = scores(np.full(len(true), frequency), np.full(len(true), int(frequency > 0.5)))
    values = scores(prob, pred) | {name: values[mask].mean() for name, (values, mask) in rates.items()}
    return _report(values, majority, resampled, len(true), resamples)


def single_label(
    y_true: Sequence[str],
    probs: np.ndarray,
    labels: Sequence[str],
    *,
    y_pred: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> Metrics:
    """Metrics of one of several classes: (N,) names and (N, C) probabilities, columns in the order of `labels`.

    `y_pred` are the predicted class numbers, where that is not the likeliest class.
    """
    true, probs = np.array([labels.index(name) for name in y_true]), np.asarray(probs)
    target = TargetPredictions(true, probs, probs.argmax(1) if y_pred is None else y_pred)
    return multi_target([target], resamples=resamples)


def multi_target(targets: Sequence[TargetPredictions], *, resamples: int = RESAMPLES) -> Metrics:
    """The plain mean over several targets of the same N rows, each with its own number of classes."""
    each = [_one_target(*target) for target in targets]
    names = [name for name in each[0][0] if all(name in values for values, _, _ in each)]

    def mean(metrics: Sequence[Metrics]) -> Metrics:
        return {name: float(np.mean([values[name] for values in metrics])) for name in names}

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        drawn = [statistics(counts) for _, _, statistics in each]
        return {name: np.mean([values[name] for values in drawn], axis=0) for name in names}

    values, majority = mean([values for values, _, _ in each]), mean([majority for _, majority, _ in each])
    return _report(values, majority, resampled, len(targets[0].y_true), resamples)


def _one_target(y_true: np.ndarray, probs: np.ndarray, y_pred: np.ndarray) -> tuple[Metrics, Metrics, Statistics]:
    """The metrics of one target, those of its commonest class, and the function that resamples them."""
    classes = probs.shape[1]
    one_hot = _one_hot(y_true, classes)

    def scores(probs: np.ndarray, y_pred: np.ndarray) -> Metrics:
        p, y = torch.from_numpy(probs), torch.from_numpy(y_true)
        return {
            **_accuracy_and_f1(y_true, y_pred),
            "brier": ((probs - one_hot) ** 2).sum(1).mean(),
            "ece": multiclass_calibration_error(p, y, num_classes=classes, n_bins=BINS).item(),
            **_auroc(one_hot, probs),
        }

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, y_true == y_pred),
            **bootstrap.f1_scores(counts, one_hot, _one_hot(y_pred, classes), count_absent=False),
            "brier": bootstrap.mean(counts, ((probs - one_hot) ** 2).sum(1)),
            "ece": bootstrap.ece(counts, probs.max(1), y_true == probs.argmax(1), BINS),
            "auroc": _resampled_mean_auroc(counts, one_hot, probs),
        }

    frequencies = np.tile(one_hot.mean(0), (len(y_true), 1))
    return scores(probs, y_pred), scores(frequencies, frequencies.argmax(1)), resampled


def multi_label(
    y_true: np.ndarray, probs: np.ndarray, thresholds: Sequence[float], *, resamples: int = RESAMPLES
) -> Metrics:
    """Metrics of any number of labels a row: (N, C) labels 0/1 and probabilities, a threshold for each label.

    The baseline gives every row the commonest label alone. brier and ece are over all N x C predictions.
    """
    y_true, probs = np.asarray(y_true, int), np.asarray(probs, float)
    y_pred = (probs >= np.asarray(thresholds)).astype(int)
    rows, labels = y_true.shape

    def scores(probs: np.ndarray, y_pred: np.ndarray) -> Metrics:
        p, y = torch.from_numpy(probs).flatten(), torch.from_numpy(y_true).flatten()
        return {
            **_accuracy_and_f1(y_true, y_pred),
            "brier": ((probs - y_true) ** 2).mean(),
            "ece": binary_calibration_error(p, y, n_bins=BINS).item(),
            **_auroc(y_true, probs),
        }

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, (y_true == y_pred).all(1)),
            **bootstrap.f1_scores(counts, y_true, y_pred, count_absent=True),
            "brier": bootstrap.mean(counts, ((probs - y_true) ** 2).mean(1)),
            "ece": bootstrap.ece(counts, probs, y_true, BINS),
            "auroc": _resampled_mean_auroc(counts, y_true, probs),
        }

    frequencies = y_true.mean(0)
    commonest = np.tile(np.arange(labels) == frequencies.argmax(), (rows, 1)).astype(int)
    majority = scores(np.tile(frequencies, (rows, 1)), commonest)
    return _report(scores(probs, y_pred), majority, resampled, rows, resamples)


def _report(values: Metrics, majority: Metrics, statistics: Statistics, rows: int, resamples: int) -> Metrics:
    """The metrics of all rows, each followed by its interval and its baseline."""
    drawn = bootstrap.resample(statistics, rows, resamples=resamples)
    report: Metrics = {}
    for name, value in values.items():
        report |= metric_entry(name, value, drawn[name], majority=majority.get(name))
    return report


def _accuracy_and_f1(y_true: np.ndarray, y_pred: np.ndarray) -> Metrics:
    f1 = {f"{kind}_f1": f1_score(y_true, y_pred, average=kind, zero_division=0) for kind in ("macro", "weighted")}
    return {"accuracy": accuracy_score(y_true, y_pred), **f1}


def _auroc(y_true: np.ndarray, probs: np.ndarray) -> Metrics:
    """The mean over the (N, C) labels that have both answers; nothing where there is none."""
    mask = _has_both(y_true)
    return {"auroc": roc_auc_score(y_true[:, mask], probs[:, mask])} if mask.any() else {}


def _resampled_mean_auroc(counts: np.ndarray, y_true: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """(R,) means over the labels that have both answers among all rows; a resample without one leaves it out."""
    labels = np.flatnonzero(_has_both(y_true))
    if not len(labels):
        return np.full(len(counts), np.nan)
    each = np.array([bootstrap.auroc(counts, y_true[:, label], probs[:, label]) for label in labels])  # (labels, R)
    defined = ~np.isnan(each)
    with np.errstate(invalid="ignore"):
        return np.where(defined, each, 0).sum(0) / defined.sum(0)


def _one_hot(class_numbers: np.ndarray, classes: int) -> np.ndarray:
    """(N,) class numbers as (N, C) 0/1."""
    return np.eye(classes, dtype=int)[class_numbers]


def _has_both(y_true: np.ndarray) -> np.ndarray:
    """(C,) whether a column of (N, C) has rows with 0 and rows with 1."""
    return (y_true.min(0) == 0) & (y_true.max(0) == 1)
