"""EMOTIC's figures: average precision of each category and their mean, and the ratings' as in `regression_metrics`.

- `mean_average_precision` over the categories that some row has (EMOTIC's own measure; Kosti et al. 2017), from 0 to 1;
  `average_precision_NAME` of one category.
- `_low`, `_high`: percentiles over bootstrap resamples of pictures, since people of one picture are annotated alike;
  `_majority`: the same answer for everybody, whose average precision is the category's share.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import average_precision_score

from models.emotions.people import CONTINUOUS
from training.datasets.emotic import CATEGORIES
from training.metrics import bootstrap, regression

RESAMPLES, SEED = 1000, 0
MEAN = "mean_average_precision"


def figures(
    truth: np.ndarray, chances: np.ndarray, pictures: np.ndarray, *, resamples: int = RESAMPLES
) -> dict[str, float]:
    """Flat figures of (N, 26) truths 0/1 and scores; `pictures` [N] numbers the picture of each person."""
    there = [column for column in range(len(CATEGORIES)) if truth[:, column].any()]
    report: dict[str, float] = {}
    if not there:
        return report
    values = [float(average_precision_score(truth[:, column], chances[:, column])) for column in there]
    drawn = np.concatenate(list(_drawn(truth, chances, pictures, there, resamples)))  # (R, categories)
    report |= _entry(MEAN, float(np.mean(values)), np.nanmean(drawn, axis=1), float(truth[:, there].mean()))
    for at, column in enumerate(there):
        name = f"average_precision_{CATEGORIES[column].lower().replace('/', '_')}"
        report |= _entry(name, values[at], drawn[:, at], float(truth[:, column].mean()))
    return report


def ratings(truth: np.ndarray, given: np.ndarray, *, resamples: int = RESAMPLES) -> dict[str, float]:
    """Figures of (N, 3) ratings."""
    known, told = ({name: part[:, at] for at, name in enumerate(CONTINUOUS)} for part in (truth, given))
    return regression.figures(known, told, CONTINUOUS, resamples=resamples)


def difference(
    truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray, pictures: np.ndarray, *, resamples: int = RESAMPLES
) -> dict[str, float]:
    """By how much the mean average precision of `ours` is above that of `theirs`, on the same resamples."""
    there = [column for column in range(len(CATEGORIES)) if truth[:, column].any()]
    means = []
    for one in (ours, theirs):
        drawn = np.concatenate(list(_drawn(truth, one, pictures, there, resamples)))
        whole = np.mean([average_precision_score(truth[:, column], one[:, column]) for column in there])
        means.append((float(whole), np.nanmean(drawn, axis=1)))
    (left, some), (right, others) = means
    low, high = np.nanpercentile(some - others, [2.5, 97.5])
    return {MEAN: left - right, f"{MEAN}_low": float(low), f"{MEAN}_high": float(high)}


def _drawn(
    truth: np.ndarray, chances: np.ndarray, pictures: np.ndarray, there: list[int], resamples: int
) -> Iterator[np.ndarray]:
    whose = np.unique(pictures, return_inverse=True)[1]
    for counts in bootstrap.draws(int(whose.max()) + 1, resamples, SEED):
        people = counts[:, whose]  # (R, N): everybody in a picture is drawn with it
        yield np.stack([bootstrap.average_precision(people, truth[:, at], chances[:, at]) for at in there], axis=1)


def _entry(name: str, value: float, resampled: np.ndarray, constant: float) -> dict[str, float]:
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return {name: value, f"{name}_low": float(low), f"{name}_high": float(high), f"{name}_majority": constant}
