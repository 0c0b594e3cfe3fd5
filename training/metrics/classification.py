"""Figures with 95% intervals and a baseline, as one flat dict: `auroc`, `auroc_low`, `auroc_high`, `auroc_majority`.

- auroc: area under the ROC curve; over several labels the plain mean of one label against the rest.
- accuracy: share of rows answered right; with several labels a row the whole set must be right.
- macro_f1, weighted_f1: F1 a label, averaged plainly or by how often the label is true.
- brier: mean squared error of the probabilities; for one of several classes summed over the classes (Brier 1950).
- ece: expected calibration error (Guo et al. 2017), 15 bins of equal width, absolute differences: of the positive
  class's probability where the answer is yes or no, else of the likeliest class's.
- `_low`, `_high`: the 2.5th and 97.5th percentile over bootstrap resamples of the rows (Efron and Tibshirani 1993).
- `_majority`: what always giving the commonest label would score, its probabilities being the labels' shares.

A figure that the rows do not define (the AUROC of rows with one label) is left out rather than set to something.
Shares of what was shown (`review_rate`, ...) have no baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from training.metrics import bootstrap

RESAMPLES = 1000
BINS = 15
SEED = 0

Figures = dict[str, float]
Resampled = Callable[[np.ndarray], dict[str, np.ndarray]]  # (R, N) counts to (R,) values of each figure


def binary(
    target: Sequence[int],
    probability: Sequence[float],
    *,
    threshold: float = 0.5,
    shown: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
) -> Figures:
    """Yes or no: (N,) targets 0/1 and probabilities; yes from `threshold` on.

    `shown` are the verdicts by the bands (`hateful`, `needs_review`, `not_hateful`). They add `shown_hateful_rate` and
    `review_rate`, shares of all rows, and `false_alarm_rate`, the share shown as hateful of the rows labelled 0.
    """
    truth, chance = np.asarray(target, int), np.asarray(probability, float)
    yes = (chance >= threshold).astype(int)
    bands = None if shown is None else np.asarray(shown)
    rates: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # what is averaged, and over which rows
    if bands is not None:
        everyone, hateful = np.ones(len(truth), bool), bands == "hateful"
        rates = {"shown_hateful_rate": (hateful, everyone), "review_rate": (bands == "needs_review", everyone)}
        if (truth == 0).any():
            rates["false_alarm_rate"] = (hateful, truth == 0)

    def scores(chance: np.ndarray, yes: np.ndarray) -> Figures:
        found = _decided(truth, yes) | {
            "brier": brier_score_loss(truth, chance, pos_label=1),
            "ece": binary_calibration_error(torch.from_numpy(chance), torch.from_numpy(truth), n_bins=BINS).item(),
        }
        return found | ({"auroc": roc_auc_score(truth, chance)} if len(np.unique(truth)) == 2 else {})

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, truth == yes),
            **bootstrap.f1s(counts, _columns(truth, 2), _columns(yes, 2), absent=False),
            "brier": bootstrap.mean(counts, (chance - truth) ** 2),
            "ece": bootstrap.ece(counts, chance, truth, BINS),
            "auroc": bootstrap.auroc(counts, truth, chance),
            **{name: bootstrap.mean(counts, values, among) for name, (values, among) in rates.items()},
        }

    share = truth.mean()
    constant = scores(np.full(len(truth), share), np.full(len(truth), int(share > 0.5)))
    found = scores(chance, yes) | {name: values[among].mean() for name, (values, among) in rates.items()}
    return _report(found, constant, resampled, len(truth), resamples)


def single_label(
    target: Sequence[str],
    probabilities: np.ndarray,
    labels: Sequence[str],
    *,
    given: np.ndarray | None = None,
    resamples: int = RESAMPLES,
) -> Figures:
    """One of several classes: (N,) names and (N, C) probabilities, columns in the order of `labels`.

    `given` are the class numbers answered, where that is not the likeliest class.
    """
    truth, chances = np.array([labels.index(name) for name in target]), np.asarray(probabilities)
    return questions([(truth, chances, chances.argmax(1) if given is None else given)], resamples=resamples)


def questions(asked: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], *, resamples: int = RESAMPLES) -> Figures:
    """Several questions to the same rows, each with one of its classes as the answer: the plain mean of their figures.

    asked: (N,) true class numbers, (N, C) probabilities and (N,) class numbers given, a question each; C may differ.
    """
    every = [_one_of(*one) for one in asked]
    names = [name for name in every[0][0] if all(name in found for found, _, _ in every)]

    def mean(figures: Sequence[Figures]) -> Figures:
        return {name: float(np.mean([one[name] for one in figures])) for name in names}

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        drawn = [draw(counts) for _, _, draw in every]
        return {name: np.mean([one[name] for one in drawn], axis=0) for name in names}

    found, constant = mean([one for one, _, _ in every]), mean([one for _, one, _ in every])
    return _report(found, constant, resampled, len(asked[0][0]), resamples)


def _one_of(truth: np.ndarray, chances: np.ndarray, given: np.ndarray) -> tuple[Figures, Figures, Resampled]:
    """The figures of one question, those of the commonest class, and the function that resamples them."""
    classes = chances.shape[1]
    true = _columns(truth, classes)

    def scores(chances: np.ndarray, given: np.ndarray) -> Figures:
        p, y = torch.from_numpy(chances), torch.from_numpy(truth)
        found = _decided(truth, given) | {
            "brier": ((chances - true) ** 2).sum(1).mean(),
            "ece": multiclass_calibration_error(p, y, num_classes=classes, n_bins=BINS).item(),
        }
        there = _both(true)
        return found | ({"auroc": roc_auc_score(true[:, there], chances[:, there])} if there.any() else {})

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, truth == given),
            **bootstrap.f1s(counts, true, _columns(given, classes), absent=False),
            "brier": bootstrap.mean(counts, ((chances - true) ** 2).sum(1)),
            "ece": bootstrap.ece(counts, chances.max(1), truth == chances.argmax(1), BINS),
            "auroc": _mean_auroc(counts, true, chances),
        }

    shares = np.tile(true.mean(0), (len(truth), 1))
    return scores(chances, given), scores(shares, shares.argmax(1)), resampled


def multi_label(
    target: np.ndarray, probabilities: np.ndarray, thresholds: Sequence[float], *, resamples: int = RESAMPLES
) -> Figures:
    """Any number of labels a row: (N, C) targets 0/1 and probabilities, a threshold a label.

    The baseline gives every row the commonest label alone. brier and ece are over all N x C answers.
    """
    truth, chances = np.asarray(target, int), np.asarray(probabilities, float)
    given = (chances >= np.asarray(thresholds)).astype(int)
    count, labels = truth.shape

    def scores(chances: np.ndarray, given: np.ndarray) -> Figures:
        p, y = torch.from_numpy(chances).flatten(), torch.from_numpy(truth).flatten()
        found = _decided(truth, given) | {
            "brier": ((chances - truth) ** 2).mean(),
            "ece": binary_calibration_error(p, y, n_bins=BINS).item(),
        }
        there = _both(truth)
        return found | ({"auroc": roc_auc_score(truth[:, there], chances[:, there])} if there.any() else {})

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "accuracy": bootstrap.mean(counts, (truth == given).all(1)),
            **bootstrap.f1s(counts, truth, given, absent=True),
            "brier": bootstrap.mean(counts, ((chances - truth) ** 2).mean(1)),
            "ece": bootstrap.ece(counts, chances, truth, BINS),
            "auroc": _mean_auroc(counts, truth, chances),
        }

    shares = truth.mean(0)
    commonest = np.tile(np.arange(labels) == shares.argmax(), (count, 1)).astype(int)
    constant = scores(np.tile(shares, (count, 1)), commonest)
    return _report(scores(chances, given), constant, resampled, count, resamples)


def _report(found: Figures, majority: Figures, resampled: Resampled, count: int, resamples: int) -> Figures:
    """The figures of all rows, each followed by its interval and its baseline."""
    drawn = [resampled(counts) for counts in bootstrap.draws(count, resamples, SEED)]
    report: Figures = {}
    for name, value in found.items():
        low, high = np.nanpercentile(np.concatenate([piece[name] for piece in drawn]), [2.5, 97.5])
        report |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
        if name in majority:
            report[f"{name}_majority"] = float(majority[name])
    return report


def _decided(truth: np.ndarray, given: np.ndarray) -> Figures:
    f1s = {f"{way}_f1": f1_score(truth, given, average=way, zero_division=0) for way in ("macro", "weighted")}
    return {"accuracy": accuracy_score(truth, given), **f1s}


def _mean_auroc(counts: np.ndarray, truth: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """(R,) means over the labels that have both answers among all rows; a resample without one leaves it out."""
    there = np.flatnonzero(_both(truth))
    if not len(there):
        return np.full(len(counts), np.nan)
    found = np.array([bootstrap.auroc(counts, truth[:, label], chances[:, label]) for label in there])  # (labels, R)
    known = ~np.isnan(found)
    with np.errstate(invalid="ignore"):
        return np.where(known, found, 0).sum(0) / known.sum(0)


def _columns(numbers: np.ndarray, classes: int) -> np.ndarray:
    """(N,) class numbers as (N, C) 0/1."""
    return np.eye(classes, dtype=int)[numbers]


def _both(truth: np.ndarray) -> np.ndarray:
    """Which of the (N, C) columns have rows with 0 and rows with 1."""
    return (truth.min(0) == 0) & (truth.max(0) == 1)
