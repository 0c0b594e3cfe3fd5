"""EMOTIC's metrics: average precision of each category and their mean, and those of the ratings.

- `mean_average_precision` over the categories that some row has (EMOTIC's own metric; Kosti et al. 2017), from 0 to 1;
  `average_precision_NAME` of one category.
- `_low`, `_high`: percentiles over bootstrap resamples of pictures, since people of one picture are annotated alike;
  `_majority`: the same answer for everybody, whose average precision is the category's frequency.
"""

import numpy as np
from sklearn.metrics import average_precision_score

from models.emotions.people import CONTINUOUS
from training.datasets.emotic import CATEGORIES
from training.metrics import bootstrap, regression
from training.metrics.bootstrap import RESAMPLES
from training.metrics.intervals import metric_entry

MEAN = "mean_average_precision"


def category_key(category: str) -> str:
    """The name of a category's metric."""
    return f"average_precision_{category.lower().replace('/', '_')}"


def category_metrics(
    y_true: np.ndarray, scores: np.ndarray, pictures: np.ndarray, *, resamples: int = RESAMPLES
) -> dict[str, float]:
    """A flat dict from labels 0/1 and scores (N, 26); `pictures` [N] numbers the picture of each person."""
    if not y_true.any():
        return {}
    values, resampled = _average_precisions(y_true, scores, pictures, resamples)
    constants = {MEAN: y_true[:, y_true.any(0)].mean()}
    constants |= {category_key(name): y_true[:, column].mean() for column, name in enumerate(CATEGORIES)}
    report: dict[str, float] = {}
    for name, value in values.items():
        report |= metric_entry(name, value, resampled[name], majority=constants[name])
    return report


def rating_metrics(y_true: np.ndarray, y_pred: np.ndarray) -> dict[str, float]:
    """A flat dict from ratings (N, 3), NaN where unknown."""
    true, pred = ({name: ratings[:, column] for column, name in enumerate(CONTINUOUS)} for ratings in (y_true, y_pred))
    return regression.metrics(true, pred, CONTINUOUS)


def difference(y_true: np.ndarray, ours: np.ndarray, theirs: np.ndarray, pictures: np.ndarray) -> dict[str, float]:
    """The mean average precision of the scores `ours` minus that of `theirs`, with the interval on the same resamples."""
    (left, left_resampled), (right, right_resampled) = (
        _average_precisions(y_true, scores, pictures, RESAMPLES) for scores in (ours, theirs)
    )
    return metric_entry(MEAN, left[MEAN] - right[MEAN], left_resampled[MEAN] - right_resampled[MEAN])


def _average_precisions(
    y_true: np.ndarray, scores: np.ndarray, pictures: np.ndarray, resamples: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Values, and (R,) resampled values, of the mean and of each category that somebody has."""
    columns = np.flatnonzero(y_true.any(0))
    pairs = {category_key(CATEGORIES[column]): (y_true[:, column], scores[:, column]) for column in columns}
    picture_of = np.unique(pictures, return_inverse=True)[1]

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        people = counts[:, picture_of]  # (R, N): everybody in a picture is drawn with it
        precisions = {name: bootstrap.average_precision(people, *pair) for name, pair in pairs.items()}
        return {MEAN: np.nanmean([*precisions.values()], axis=0), **precisions}

    values = {name: float(average_precision_score(*pair)) for name, pair in pairs.items()}
    mean = {MEAN: float(np.mean([*values.values()]))}
    return mean | values, bootstrap.resample(resampled, int(picture_of.max()) + 1, resamples=resamples)
