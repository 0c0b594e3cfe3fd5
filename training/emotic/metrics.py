"""EMOTIC's metrics: average precision of each category and their mean, and those of the ratings.

- `mean_average_precision` over the categories that some row has (EMOTIC's own measure; Kosti et al. 2017), from 0 to 1;
  `average_precision_NAME` of one category.
- `_low`, `_high`: the 95% percentile interval over bootstrap resamples of pictures, since people of one picture are
  annotated alike; `_majority`: the same answer for everybody, whose average precision is the category's frequency.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

from models.emotions.people import CONTINUOUS
from training.datasets.emotic import CATEGORIES
from training.metrics import bootstrap, regression
from training.metrics.intervals import metric_entry

MEAN = "mean_average_precision"


def category_metrics(
    y_true: np.ndarray, scores: np.ndarray, pictures: np.ndarray, *, resamples: int = bootstrap.RESAMPLES
) -> dict[str, float]:
    """Flat metrics of (N, 26) labels 0/1 and scores; `pictures` [N] numbers the picture of each person."""
    columns = np.flatnonzero(y_true.any(0))
    if not len(columns):
        return {}
    values, drawn = _average_precisions(y_true, scores), _resampled(y_true, scores, pictures, resamples)
    frequencies = y_true[:, columns].mean(0)
    report = metric_entry(MEAN, np.mean(values), np.nanmean(drawn, axis=1), majority=float(y_true[:, columns].mean()))
    for number, column in enumerate(columns):
        name = f"average_precision_{CATEGORIES[column].lower().replace('/', '_')}"
        report |= metric_entry(name, values[number], drawn[:, number], majority=frequencies[number])
    return report


def rating_metrics(y_true: np.ndarray, y_pred: np.ndarray, *, resamples: int = bootstrap.RESAMPLES) -> dict[str, float]:
    """Metrics of (N, 3) ratings."""
    true, pred = (dict(zip(CONTINUOUS, values.T, strict=True)) for values in (y_true, y_pred))
    return regression.metrics(true, pred, CONTINUOUS, resamples=resamples)


def difference(
    y_true: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    pictures: np.ndarray,
    *,
    resamples: int = bootstrap.RESAMPLES,
) -> dict[str, float]:
    """By how much the mean average precision of scores `ours` is above that of `theirs`, on the same resamples."""
    value = np.mean(_average_precisions(y_true, ours)) - np.mean(_average_precisions(y_true, theirs))
    our_means, their_means = (
        np.nanmean(_resampled(y_true, scores, pictures, resamples), axis=1) for scores in (ours, theirs)
    )
    return metric_entry(MEAN, float(value), our_means - their_means)


def _average_precisions(y_true: np.ndarray, scores: np.ndarray) -> list[float]:
    """One for each category that some row has."""
    return [float(average_precision_score(y_true[:, c], scores[:, c])) for c in np.flatnonzero(y_true.any(0))]


def _resampled(y_true: np.ndarray, scores: np.ndarray, pictures: np.ndarray, resamples: int) -> np.ndarray:
    """(R, categories that some row has) average precisions."""
    picture_of = np.unique(pictures, return_inverse=True)[1]

    def statistics(counts: np.ndarray) -> dict[str, np.ndarray]:
        people = counts[:, picture_of]  # (R, N): everybody in a picture is drawn with it
        columns = np.flatnonzero(y_true.any(0))
        return {str(c): bootstrap.average_precision(people, y_true[:, c], scores[:, c]) for c in columns}

    drawn = bootstrap.resample(statistics, int(picture_of.max()) + 1, resamples=resamples)
    return np.stack(list(drawn.values()), axis=1)
