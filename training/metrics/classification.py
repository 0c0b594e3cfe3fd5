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

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from models.evaluation_files import UNKNOWN
from training.metrics import bootstrap
from training.metrics.bootstrap import RESAMPLES, Statistics
from training.metrics.intervals import metric_entry

BINS = 15

Metrics = dict[str, float]


class TargetPredictions(NamedTuple):
    """Predictions of one target: (N,) true class numbers, (N, C) probabilities, (N,) predicted class numbers.

    Rows whose true class is UNKNOWN do not count; a target needs one that is known.
    """

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
    rates: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # values, and the mask of the rows that they are averaged over
    if verdicts is not None:
        all_rows, hateful = np.ones(len(true), bool), np.asarray(verdicts) == "hateful"
        review = np.asarray(verdicts) == "needs_review"
        rates = {"shown_hateful_rate": (hateful, all_rows), "review_rate": (review, all_rows)}
        if (true == 0).any():
            rates["false_alarm_rate"] = (hateful, true == 0)

    def statistics(prob: np.ndarray, pred: np.ndarray) -> Statistics:
        labels = _one_hot(true, 2), _one_hot(pred, 2)
        return _statistics(*labels, prob[:, None], true[:, None], (prob - true) ** 2, (prob, true))

    measured = statistics(prob, (prob >= threshold).astype(int))

    def with_rates(counts: np.ndarray) -> dict[str, np.ndarray]:
        return measured(counts) | {name: bootstrap.mean(counts, *values) for name, values in rates.items()}

    frequency = np.full(len(true), true.mean())
    return _report(with_rates, statistics(frequency, (frequency > 0.5).astype(int)), len(true), resamples)


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
    """The plain mean over several targets of the same N rows, each with its own number of classes.

    Each target is measured on the rows whose class is known.
    """
    commonest = []
    for y_true, probs, _ in targets:
        frequencies = np.tile(_one_hot(y_true[y_true != UNKNOWN], probs.shape[1]).mean(0), (len(y_true), 1))
        commonest.append(_one_target(y_true, frequencies, frequencies.argmax(1)))
    each = [_one_target(*target) for target in targets]
    return _report(_mean_of(each), _mean_of(commonest), len(targets[0].y_true), resamples)


def multi_target_by_name(targets: Mapping[str, TargetPredictions], key: str) -> Metrics:
    """`multi_target`, and for several targets the macro-F1 of each, such as `macro_f1_low:humour` for "macro_f1{end}:{name}"."""
    metrics = multi_target(list(targets.values()))
    for name, target in targets.items() if len(targets) > 1 else ():
        own = multi_target([target])
        for end in ("", "_low", "_high", "_majority"):
            metrics[key.format(name=name, end=end)] = own[f"macro_f1{end}"]
    return metrics


def _one_target(y_true: np.ndarray, probs: np.ndarray, y_pred: np.ndarray) -> Statistics:
    known = y_true != UNKNOWN
    if not known.all():
        of_known = _one_target(y_true[known], probs[known], y_pred[known])
        return lambda counts: of_known(counts[:, known])
    one_hot = _one_hot(y_true, probs.shape[1])
    calibration = probs.max(1), y_true == probs.argmax(1)
    brier = ((probs - one_hot) ** 2).sum(1)
    return _statistics(one_hot, _one_hot(y_pred, probs.shape[1]), probs, one_hot, brier, calibration)


def _mean_of(targets: Sequence[Statistics]) -> Statistics:
    """The mean over the targets of each metric that all of them have."""

    def statistics(counts: np.ndarray) -> dict[str, np.ndarray]:
        each = [target(counts) for target in targets]
        return {name: np.mean([values[name] for values in each], axis=0) for name in each[0]}

    return statistics


def multi_label(
    y_true: np.ndarray, probs: np.ndarray, thresholds: Sequence[float], *, resamples: int = RESAMPLES
) -> Metrics:
    """Metrics of any number of labels a row: (N, C) labels 0/1 and probabilities, a threshold for each label.

    The baseline gives every row the commonest label alone. brier and ece are over all N x C predictions.
    """
    y_true, probs = np.asarray(y_true, int), np.asarray(probs, float)
    y_pred = (probs >= np.asarray(thresholds)).astype(int)
    rows, labels = y_true.shape

    def statistics(probs: np.ndarray, y_pred: np.ndarray) -> Statistics:
        brier = ((probs - y_true) ** 2).mean(1)
        return _statistics(y_true, y_pred, probs, y_true, brier, (probs, y_true), count_absent=True)

    frequencies = y_true.mean(0)
    commonest = np.tile(np.arange(labels) == frequencies.argmax(), (rows, 1)).astype(int)
    majority = statistics(np.tile(frequencies, (rows, 1)), commonest)
    return _report(statistics(probs, y_pred), majority, rows, resamples)


def _statistics(
    labels: np.ndarray,
    predicted: np.ndarray,
    probs: np.ndarray,
    positive: np.ndarray,
    brier: np.ndarray,
    calibration: tuple[np.ndarray, np.ndarray],
    *,
    count_absent: bool = False,
) -> Statistics:
    """The metrics of (N, C) labels and predicted labels 0/1.

    AUROC is that of probs (N, K) against `positive` (N, K); `brier` (N,) is the squared error of each row; `calibration` are
    confidences and whether each was right, as `bootstrap.ece` takes them.
    """

    def statistics(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, (labels == predicted).all(1)),
            **bootstrap.f1_scores(counts, labels, predicted, count_absent=count_absent),
            "brier": bootstrap.mean(counts, brier),
            "ece": bootstrap.ece(counts, *calibration, BINS),
            "auroc": _mean_auroc(counts, positive, probs),
        }

    return statistics


def _report(statistics: Statistics, majority: Statistics, rows: int, resamples: int) -> Metrics:
    """The metrics of all rows, each followed by its interval and its baseline; those of all rows count each row once."""
    once = np.ones((1, rows))
    values, baseline = statistics(once), majority(once)
    drawn = bootstrap.resample(statistics, rows, resamples=resamples)
    report: Metrics = {}
    for name, value in values.items():
        if not np.isnan(value[0]):
            baselines = {"majority": baseline[name][0]} if name in baseline else {}
            report |= metric_entry(name, value[0], drawn[name], **baselines)
    return report


def _mean_auroc(counts: np.ndarray, y_true: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """(R,) means over the labels that have both answers among all rows; a resample without one leaves it out."""
    labels = np.flatnonzero((y_true.min(0) == 0) & (y_true.max(0) == 1))
    if not len(labels):
        return np.full(len(counts), np.nan)
    each = np.array([bootstrap.auroc(counts, y_true[:, label], probs[:, label]) for label in labels])  # (labels, R)
    defined = ~np.isnan(each)
    with np.errstate(invalid="ignore"):
        return np.where(defined, each, 0).sum(0) / defined.sum(0)


def _one_hot(class_numbers: np.ndarray, classes: int) -> np.ndarray:
    """(N,) class numbers as (N, C) 0/1."""
    return np.eye(classes, dtype=int)[class_numbers]
