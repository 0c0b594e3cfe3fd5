"""Metrics of ratings: `valence_pearson`, `valence_spearman`, `valence_ccc`, `valence_mae` with intervals and a baseline.

- pearson, spearman: correlation with the mean ratings; the baseline, a constant, has none (0).
- ccc: concordance correlation (Lin 1989); mae: mean absolute error on the rating's own scale.
- `_low`, `_high`: the 95% percentile interval over bootstrap resamples of the rows; `_majority`: always predicting the
  mean rating of these rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from training.metrics.bootstrap import RESAMPLES, SEED
from training.metrics.intervals import metric_entry

MIN_ROWS = 3


def metrics(
    y_true: Mapping[str, Sequence[float] | np.ndarray],
    y_pred: Mapping[str, Sequence[float] | np.ndarray],
    names: Sequence[str],
    *,
    resamples: int = RESAMPLES,
) -> dict[str, float]:
    """A flat dict for all `names`; rows with an unknown rating (NaN) are left out of that rating's metrics."""
    report: dict[str, float] = {}
    for name in names:
        true, pred = np.asarray(y_true[name], float), np.asarray(y_pred[name], float)
        known = ~np.isnan(true) & ~np.isnan(pred)
        true, pred = true[known], pred[known]
        if len(true) < MIN_ROWS:
            continue
        drawn = np.random.default_rng(SEED).integers(len(true), size=(resamples, len(true)))
        values, resampled = _scores(true[None], pred[None]), _scores(true[drawn], pred[drawn])
        constants = {"pearson": 0.0, "spearman": 0.0, "ccc": 0.0, "mae": np.abs(true - true.mean()).mean()}
        for kind, constant in constants.items():
            report |= metric_entry(f"{name}_{kind}", values[kind][0], resampled[kind], majority=constant)
    return report


def _scores(true: np.ndarray, pred: np.ndarray) -> dict[str, np.ndarray]:
    """(R,) values of each metric of (R, N) ratings."""
    return {
        "pearson": _pearson(pred, true),
        "spearman": _pearson(rankdata(pred, axis=1), rankdata(true, axis=1)),
        "ccc": _concordance(pred, true),
        "mae": np.abs(pred - true).mean(1),
    }


def _pearson(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(R,) correlations of (R, N) values; 0 where one side is constant."""
    left, right = left - left.mean(1, keepdims=True), right - right.mean(1, keepdims=True)
    scale = np.sqrt((left**2).sum(1) * (right**2).sum(1))
    return np.divide((left * right).sum(1), scale, out=np.zeros(len(left)), where=scale > 1e-12)


def _concordance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(R,) concordance correlations of (R, N) values; 0 where both sides are the same constant."""
    shift = (left.mean(1) - right.mean(1)) ** 2
    total = left.var(1) + right.var(1) + shift
    covariance = ((left - left.mean(1, keepdims=True)) * (right - right.mean(1, keepdims=True))).mean(1)
    return np.divide(2 * covariance, total, out=np.zeros(len(left)), where=total > 1e-12)
