"""Calibration and decision offsets of heads, from logits of rows that the networks did not learn from.

Macro-F1 weighs a rare class like a common one, so that the likeliest class is a poor decision. Each class gets an offset
on its log-probability under which it is predicted as often as it is true (the class prior). Where the scores tell the
classes apart only weakly, macro-F1 is largest there: a class of frequency p that is predicted at random with frequency r
has F1 2pr / (p + r), and over all r that sum to 1 the sum of these is largest at r = p. It also makes precision equal
recall, and unlike a search over thresholds it has nothing to overfit to the noise of a few rare rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from scipy.optimize import minimize
from torch import Tensor

from models.classifiers.heads import MIN_PROB, Head, Rule, columns, softmax
from models.evaluation_files import UNKNOWN

MAX_ITERATIONS = 200
TOLERANCE = 1e-7
REGULARISATION = 1e-3  # nats a row: how strongly the calibration is held at scale 1 and bias 0
Targets = TypeVar("Targets", np.ndarray, Tensor)


def fit_calibration(probs: np.ndarray, y_true: np.ndarray) -> Rule:
    """Scale and bias with the least log loss: probs (N, C), y_true (N,) class numbers.

    Source: bias-corrected temperature scaling, Alexandari et al. 2020.
    """
    log_probs, classes = np.log(np.clip(probs, MIN_PROB, 1)), probs.shape[1]

    def loss(parameters: np.ndarray) -> float:
        scale, bias = parameters[0], parameters[1:]
        calibrated = softmax(scale * log_probs + bias)
        log_loss = -np.log(np.clip(calibrated[np.arange(len(y_true)), y_true], MIN_PROB, 1)).mean()
        return float(log_loss + REGULARISATION * ((scale - 1) ** 2 + (bias**2).mean()))

    start, bounds = np.array([1.0, *np.zeros(classes)]), [(0.05, 5), *[(-5, 5)] * classes]
    scale, *bias = minimize(loss, start, bounds=bounds).x
    return Rule(round(float(scale), 4), tuple(round(float(value), 4) for value in bias - np.mean(bias)))


def match_class_prior(rule: Rule, probs: np.ndarray, prior: np.ndarray) -> Rule:
    """The rule with offsets under which each class is predicted as often as `prior` (C,) says, on probs (N, C) of any rows.

    Class by class: the offset from which the class beats the best other class on that fraction of the rows, again until
    nothing moves. No label is read. Where all of the prior is 0, the rule stays as it is.
    """
    if not prior.any():
        return rule
    log_probs, classes = np.log(np.clip(rule.calibrate(probs), MIN_PROB, 1)), len(prior)
    offsets = np.zeros(classes)
    for _ in range(MAX_ITERATIONS):
        previous = offsets.copy()
        for number in range(1 if classes == 2 else 0, classes):
            margin = log_probs[:, number] - np.delete(log_probs + offsets, number, axis=1).max(1)  # (N,)
            offsets[number] = -np.quantile(margin, 1 - prior[number])
        if np.abs(offsets - previous).max() < TOLERANCE:
            break
    return replace(rule, offsets=tuple(round(float(value), 8) for value in offsets - offsets.mean()))


def class_priors(targets: np.ndarray, head: Head) -> list[np.ndarray]:
    """How often each class is true, float64 [classes] for each of the head's targets; targets (N, targets)."""
    priors = []
    for labels, target in zip(targets.T, head.targets, strict=True):
        known = labels[labels != UNKNOWN]
        priors.append(np.bincount(known, minlength=len(target.classes)) / max(1, len(known)))
    return priors


def fit_rules(head: Head, logits: np.ndarray, targets: np.ndarray) -> Head:
    """The head with a rule for each target, all from these rows: logits (N, head.logits), targets (N, targets).

    A target without any label stays uncalibrated, and its likeliest class is predicted.
    """
    rules = []
    for probs, labels, prior in zip(
        head.uncalibrated_probs(logits), targets.T, class_priors(targets, head), strict=True
    ):
        known = labels != UNKNOWN
        rule = fit_calibration(probs[known], labels[known]) if known.any() else Rule()
        rules.append(match_class_prior(rule, probs[known], prior))
    return replace(head, rules=tuple(rules))


def refit_offsets(head: Head, logits: np.ndarray, priors: Sequence[np.ndarray], known: np.ndarray) -> Head:
    """The head's calibration, with offsets that match these priors on these logits.

    The mean of several networks spreads less than each network: offsets from single networks would not fit it. `known`
    bool (N, targets) are the rows with a label, whose classes the priors count: others may be of another kind. A target
    without such rows keeps its rule.
    """
    rules = [
        match_class_prior(rule, probs[rows], prior) if rows.any() else rule
        for rule, probs, prior, rows in zip(head.rules, head.uncalibrated_probs(logits), priors, known.T, strict=True)
    ]
    return replace(head, rules=tuple(rules))


def split_by_head(heads: Sequence[Head], targets: Targets) -> list[Targets]:
    """The columns (N, targets of the head) of each head in targets (N, all targets)."""
    ends = np.cumsum([len(head.targets) for head in heads]).tolist()
    return [targets[:, end - len(head.targets) : end] for head, end in zip(heads, ends, strict=True)]


def by_head(heads: Sequence[Head], logits: Targets, targets: Targets) -> Iterator[tuple[Head, Targets, Targets]]:
    """Each head with its columns of logits (N, all logits) and of targets (M, all targets)."""
    head_logits = (logits[:, where] for where in columns(heads))
    return zip(heads, head_logits, split_by_head(heads, targets), strict=True)


def cross_fit_rules(
    heads: Sequence[Head], logits: np.ndarray, targets: np.ndarray, fold: np.ndarray
) -> list[list[Head]]:
    """For each fold the heads with rules from the rows of the other folds; fold int (N,) counts from 0."""
    folds = [fold != number for number in range(int(fold.max()) + 1)]
    return [[fit_rules(*each) for each in by_head(heads, logits[others], targets[others])] for others in folds]
