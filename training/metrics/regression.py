"""Figures of ratings: `valence_pearson`, `valence_spearman`, `valence_mae`, `valence_ccc` with intervals and a baseline.

- pearson, spearman: correlation with the mean ratings; the baseline, a constant, has none (0).
- mae: mean absolute error on the rating's own scale; ccc: concordance correlation (Lin 1989).
- `_low`, `_high`: percentiles over bootstrap resamples of the rows; `_majority`: always the mean rating of these rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

RESAMPLES = 1000
SEED = 0


def figures(
    truth: Mapping[str, Sequence[float] | np.ndarray],
    given: Mapping[str, Sequence[float] | np.ndarray],
    names: Sequence[str],
    *,
    resamples: int = RESAMPLES,
) -> dict[str, float]:
    """A flat dict for all `names`; rows with an unknown rating (NaN) are left out of that rating's figures."""
    report: dict[str, float] = {}
    for name in names:
        known, told = np.asarray(truth[name], float), np.asarray(given[name], float)
        there = ~np.isnan(known) & ~np.isnan(told)
        known, told = known[there], told[there]
        if len(known) < 3:
            continue
        picked = np.random.default_rng(SEED).integers(len(known), size=(resamples, len(known)))
        ours, theirs = told[picked], known[picked]
        kinds = {
            "pearson": (_pearson(told[None], known[None]), _pearson(ours, theirs), 0.0),
            "spearman": (
                _pearson(rankdata(told)[None], rankdata(known)[None]),
                _pearson(rankdata(ours, axis=1), rankdata(theirs, axis=1)),
                0.0,
            ),
            "ccc": (_concordance(told[None], known[None]), _concordance(ours, theirs), 0.0),
            "mae": (
                np.abs(told - known).mean()[None],
                np.abs(ours - theirs).mean(1),
                float(np.abs(known - known.mean()).mean()),
            ),
        }
        for kind, (value, resampled, constant) in kinds.items():
            low, high = np.nanpercentile(resampled, [2.5, 97.5])
            key = f"{name}_{kind}"
            report |= {key: float(value[0]), f"{key}_low": float(low), f"{key}_high": float(high)}
            report[f"{key}_majority"] = constant
    return report


def _pearson(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Row by row of (R, N); 0 where one side is constant."""
    left, right = left - left.mean(1, keepdims=True), right - right.mean(1, keepdims=True)
    scale = np.sqrt((left**2).sum(1) * (right**2).sum(1))
    return np.divide((left * right).sum(1), scale, out=np.zeros(len(left)), where=scale > 1e-12)


def _concordance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    shift = (left.mean(1) - right.mean(1)) ** 2
    total = left.var(1) + right.var(1) + shift
    both = ((left - left.mean(1, keepdims=True)) * (right - right.mean(1, keepdims=True))).mean(1)
    return np.divide(2 * both, total, out=np.zeros(len(left)), where=total > 1e-12)
