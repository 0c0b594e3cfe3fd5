"""Intervals against values that are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics.intervals import metric_entry, percentile_interval, wilson_interval


def test_percentiles_leave_out_what_is_not_defined() -> None:
    resampled = np.concatenate([np.arange(1001.0), [np.nan] * 50])
    assert percentile_interval(resampled) == (25.0, 975.0)


def test_an_entry_names_its_baselines() -> None:
    entry = metric_entry("auroc", 0.7, np.linspace(0.6, 0.8, 1001), majority=0.5, chance=None)
    assert list(entry) == ["auroc", "auroc_low", "auroc_high", "auroc_majority"]
    assert entry["auroc_majority"] == 0.5


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (0, 0, 0.0, 1.0)]
)
def test_wilson(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=1e-4)
