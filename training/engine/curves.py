"""Learning curves as the Evaluation page reads them, from what Lightning's CSV logger wrote."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

Curve = list[dict[str, float]]


def by_epoch(path: Path) -> Curve:
    """One dict an epoch: the log has training and validation metrics of an epoch in separate rows."""
    epochs: dict[int, dict[str, float]] = {}
    for row in _rows(path):
        point = epochs.setdefault(int(row["epoch"]), {"epoch": float(row["epoch"])})
        point |= _metrics(row)
    return [epochs[epoch] for epoch in sorted(epochs)]


def by_check(path: Path, monitor: str) -> Curve:
    """One dict a validation, for runs that validate several times an epoch.

    It holds the number of steps, the validation metrics, of which `monitor` is one, and the mean of each training loss
    since the validation before.
    """
    curve: Curve = []
    losses: dict[str, list[float]] = defaultdict(list)
    for row in _rows(path):
        metrics = _metrics(row)
        if monitor in metrics:
            means = {name: round(sum(values) / len(values), 4) for name, values in losses.items()}
            rounded = {name: round(value, 4) for name, value in metrics.items()}
            curve.append({"step": float(row["step"]) + 1, **means, **rounded})
            losses.clear()
        else:
            for name, value in metrics.items():
                losses[name].append(value)
    return curve


def until(path: Path, step: int) -> Curve:
    """The rows of a log before this step, as they were logged."""
    rows = [{key: float(value) for key, value in row.items() if value} for row in _rows(path)]
    return [row | {"epoch": int(row["epoch"])} for row in rows if row["step"] < step]


def join(rounds: Sequence[Curve]) -> Curve:
    """Rounds of training that continue one another as one curve, with their steps counted through."""
    curve: Curve = []
    for points in rounds:
        offset = curve[-1]["step"] if curve else 0.0
        curve += [{**point, "step": point["step"] + offset} for point in points]
    return curve


def _metrics(row: dict[str, str]) -> dict[str, float]:
    return {key: float(value) for key, value in row.items() if value and key not in {"epoch", "step"}}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
