"""Metrics of the robustness study, each with a 95% interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.robustness.pixel_attack import Attack
from training.metrics import bootstrap
from training.metrics.intervals import metric_entry, wilson_interval

Metrics = dict[str, float]


def summary(attacks: Sequence[Attack], candidates: int) -> Metrics:
    """Over the rows attacked. `random_rate`: fooled by one of the first `candidates` tries, which are drawn by chance.

    That is the baseline: what the evolution adds is the rest. Shares have Wilson's interval (Wilson 1927), medians a
    bootstrap one.
    """
    changes = np.array([result.after - result.before for result in attacks])
    queries = np.array([result.queries for result in attacks], float)
    report: Metrics = {"rows": len(attacks)}
    report |= fraction("success_rate", [result.fooled for result in attacks])
    report["given_up"] = sum(result.stopped for result in attacks)
    report |= fraction("random_rate", [result.fooled and result.queries <= candidates + 1 for result in attacks])
    return report | median("median_change", changes) | median("median_queries", queries)


def fraction(name: str, hits: Sequence[bool] | np.ndarray, scale: float = 1.0) -> Metrics:
    """A fraction with its Wilson interval, NaN of nothing; `scale` 100 gives percent."""
    count, successes = len(hits), int(np.sum(hits))
    low, high = wilson_interval(successes, count)
    value = successes / count if count else float("nan")
    return {name: scale * value, f"{name}_low": scale * low, f"{name}_high": scale * high}


def median(name: str, values: np.ndarray) -> Metrics:
    """A median with its interval, NaN of nothing."""
    if not len(values):
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
    samples = np.random.default_rng(bootstrap.SEED).integers(len(values), size=(bootstrap.RESAMPLES, len(values)))
    return metric_entry(name, float(np.median(values)), np.median(values[samples], axis=1))


def bootstrapped(name: str, rows: int, value: float, resampled: Callable[[np.ndarray], np.ndarray]) -> Metrics:
    """A figure with its bootstrap interval; `resampled` takes counts (R, rows) as in `training.metrics.bootstrap`."""
    return metric_entry(name, value, bootstrap.resample(lambda counts: {name: resampled(counts)}, rows)[name])
