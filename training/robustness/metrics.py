"""Figures of the robustness study, each with a 95% interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.robustness.pixel_attack import Attack
from training.metrics import bootstrap
from training.metrics.intervals import metric_entry, wilson_interval

Figures = dict[str, float]


def summary(done: Sequence[Attack], candidates: int) -> Figures:
    """Over the rows attacked. `random_rate`: fooled by one of the first `candidates` tries, which are drawn by chance.

    That is the baseline: what the evolution adds is the rest. Shares have Wilson's interval (Wilson 1927), medians a
    bootstrap one.
    """
    change = np.array([found.after - found.before for found in done])
    tried = np.array([found.queries for found in done], float)
    report: Figures = {"rows": len(done)}
    report |= share("success_rate", [found.fooled for found in done])
    report["given_up"] = sum(found.stopped for found in done)
    report |= share("random_rate", [found.fooled and found.queries <= candidates + 1 for found in done])
    return report | median("median_change", change) | median("median_queries", tried)


def share(name: str, hits: Sequence[bool] | np.ndarray, scale: float = 1.0) -> Figures:
    """A share with its interval, NaN of nothing; `scale` 100 gives percent."""
    count, found = len(hits), int(np.sum(hits))
    low, high = wilson_interval(found, count)
    value = found / count if count else float("nan")
    return {name: scale * value, f"{name}_low": scale * low, f"{name}_high": scale * high}


def median(name: str, values: np.ndarray) -> Figures:
    """A median with its interval, NaN of nothing."""
    if not len(values):
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
    drawn = np.random.default_rng(bootstrap.SEED).integers(len(values), size=(bootstrap.RESAMPLES, len(values)))
    return metric_entry(name, float(np.median(values)), np.median(values[drawn], axis=1))


def drawn(name: str, rows: int, value: float, resampled: Callable[[np.ndarray], np.ndarray]) -> Figures:
    """A figure with its bootstrap interval; `resampled` takes counts (R, rows) as in `training.metrics.bootstrap`."""
    return metric_entry(name, value, bootstrap.resample(lambda counts: {name: resampled(counts)}, rows)[name])
