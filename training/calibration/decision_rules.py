"""Calibration and decisions of heads, from logits of rows that the networks did not see.

Macro-F1 weighs a rare class like a common one, so that the plain likeliest class is a poor answer. Each class gets an
offset on its log-probability under which it is given as often as it is true in the rows learned from. Where the scores
tell the classes apart only weakly, that is where macro-F1 is largest: with a true share p and a given share r a class
guessed at random has F1 2pr / (p + r), and over all r that sum to 1 the sum of these is largest at r = p. It also makes
precision equal recall, and unlike a search over thresholds it has nothing to overfit to the noise of a few rare rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from models.classifiers.activations import softmax
from models.classifiers.heads import MIN_PROB, Head, Rule, columns
from models.evaluation_files import UNKNOWN

TURNS = 200
NEAR = 1e-7
HOLD = 1e-3  # how strongly the calibration is held at 1 and 0, in nats a row


def calibration(raw: np.ndarray, target: np.ndarray) -> Rule:
    """Scale and bias with the least log loss: raw (N, C), target (N,) class numbers."""
    logs, classes = np.log(np.clip(raw, MIN_PROB, 1)), raw.shape[1]

    def loss(values: np.ndarray) -> float:
        chances = softmax(values[0] * logs + values[1:])
        missed = -np.log(np.clip(chances[np.arange(len(target)), target], MIN_PROB, 1)).mean()
        return float(missed + HOLD * ((values[0] - 1) ** 2 + (values[1:] ** 2).mean()))

    found = minimize(loss, np.array([1.0, *np.zeros(classes)]), bounds=[(0.05, 5), *[(-5, 5)] * classes]).x
    return Rule(round(float(found[0]), 4), tuple(round(float(value), 4) for value in found[1:] - found[1:].mean()))


def matched(rule: Rule, raw: np.ndarray, shares: np.ndarray) -> Rule:
    """The rule with offsets under which each class is given as often as `shares` (C,) say, on raw (N, C) of any rows.

    Class by class: the offset from which the class beats the best of the others on that share of the rows, again until
    nothing moves. No label is looked at. Where no share says anything, the rule stays as it is.
    """
    if not shares.any():
        return rule
    logs, classes = np.log(np.clip(rule.calibrate(raw), MIN_PROB, 1)), len(shares)
    found = np.zeros(classes)
    for _ in range(TURNS):
        before = found.copy()
        for one in range(1 if classes == 2 else 0, classes):
            margin = logs[:, one] - np.delete(logs + found, one, axis=1).max(1)  # (N,)
            found[one] = -np.quantile(margin, 1 - shares[one])
        if np.abs(found - before).max() < NEAR:
            break
    return replace(rule, offsets=tuple(round(float(value), 8) for value in found - found.mean()))


def shares(targets: np.ndarray, head: Head) -> list[np.ndarray]:
    """How often each class is true, one array a question; targets (N, questions)."""
    found = []
    for number, question in enumerate(head.questions):
        known = targets[:, number][targets[:, number] != UNKNOWN]
        found.append(np.bincount(known, minlength=len(question.classes)) / max(1, len(known)))
    return found


def fit(head: Head, logits: np.ndarray, targets: np.ndarray) -> Head:
    """The head with a rule a question, all from these rows: logits (N, head.logits), targets (N, questions).

    A question that none of the rows answers stays uncalibrated, and its likeliest class is given.
    """
    rules = []
    for number, (raw, share) in enumerate(zip(head.raw(logits), shares(targets, head), strict=True)):
        known = targets[:, number] != UNKNOWN
        fitted = calibration(raw[known], targets[known, number]) if known.any() else Rule()
        rules.append(matched(fitted, raw[known], share))
    return replace(head, rules=tuple(rules))


def rematched(head: Head, logits: np.ndarray, wanted: Sequence[np.ndarray]) -> Head:
    """The head's calibration, with offsets matched to `wanted` shares on these logits.

    Networks that answer together spread less than each alone: offsets from single networks would not fit them.
    """
    rules = [matched(rule, raw, share) for rule, raw, share in zip(head.rules, head.raw(logits), wanted, strict=True)]
    return replace(head, rules=tuple(rules))


def split(heads: Sequence[Head], targets: np.ndarray) -> list[np.ndarray]:
    """The columns (N, questions) of each head's targets."""
    ends = np.cumsum([len(head.questions) for head in heads])[:-1]
    return np.split(targets, ends, axis=1)


def nested(heads: Sequence[Head], logits: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> list[list[Head]]:
    """For each fold's number the heads with rules from the other folds."""
    found = []
    for one in range(int(fold.max()) + 1):
        others = fold != one
        parts = zip(heads, columns(heads), split(heads, targets), strict=True)
        found.append([fit(head, logits[others][:, where], target[others]) for head, where, target in parts])
    return found
