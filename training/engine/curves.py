"""Learning curves as the Evaluation page reads them, from what Lightning's CSV logger wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

Curve = list[dict[str, float]]


def by_epoch(path: Path) -> Curve:
    """One dict an epoch: the log has training and validation metrics of an epoch in separate rows."""
    epochs = read(path).drop(columns="step").groupby("epoch", as_index=False).last()  # the last value that was logged
    return [epoch.dropna().to_dict() for _, epoch in epochs.iterrows()]


def by_check(path: Path, monitor: str) -> Curve:
    """One dict a validation, for runs that validate several times an epoch.

    It holds the number of steps, the validation metrics, of which `monitor` is one, and the mean of each training loss
    since the validation before.
    """
    log = read(path).drop(columns="epoch")
    checks = log[monitor].notna()
    losses = log[~checks].groupby(checks.cumsum()).mean()  # by the number of the validation that follows
    curve = log[checks].reset_index(drop=True).combine_first(losses)[: checks.sum()]
    return [{**row.dropna().round(4).to_dict(), "step": row["step"] + 1} for _, row in curve.iterrows()]


def join(rounds: Sequence[Curve]) -> Curve:
    """Rounds of training that continue one another as one curve, with their steps counted through."""
    curve: Curve = []
    for points in rounds:
        offset = curve[-1]["step"] if curve else 0.0
        curve += [{**point, "step": point["step"] + offset} for point in points]
    return curve


def read(path: Path) -> pd.DataFrame:
    """The log with its columns `epoch` and `step`; NaN where a row lacks a metric."""
    return pd.read_csv(path, float_precision="round_trip")
