"""Learning curves as the Evaluation page reads them, from what Lightning's CSV logger wrote."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

Curve = list[dict[str, float]]


def by_epoch(path: Path) -> Curve:
    """One dict an epoch: training and validation of an epoch are in rows of their own."""
    found: dict[int, dict[str, float]] = {}
    for row in _rows(path):
        here = found.setdefault(int(row["epoch"]), {"epoch": float(row["epoch"])})
        here |= {key: float(value) for key, value in row.items() if value and key not in {"epoch", "step"}}
    return [found[epoch] for epoch in sorted(found)]


def by_check(path: Path, watched: str) -> Curve:
    """One dict a check on held-out rows, for runs that check several times an epoch: the step, what was measured there,
    and the mean of each training loss since the check before.
    """
    found: Curve = []
    losses: dict[str, list[float]] = defaultdict(list)
    for row in _rows(path):
        values = {key: float(value) for key, value in row.items() if value and key not in {"epoch", "step"}}
        if watched in values:
            means = {key: round(sum(some) / len(some), 4) for key, some in losses.items()}
            measured = {key: round(value, 4) for key, value in values.items()}
            found.append({"step": float(row["step"]) + 1, **means, **measured})
            losses.clear()
        else:
            for key, value in values.items():
                losses[key].append(value)
    return found


def until(path: Path, epoch: int) -> Curve:
    """The rows of a log up to this epoch's, as they were logged; those of a later one were broken off."""
    rows = [{key: float(value) for key, value in row.items() if value} for row in _rows(path)]
    return [row | {"epoch": int(row["epoch"])} for row in rows if row["epoch"] <= epoch]


def joined(rounds: Sequence[Curve]) -> Curve:
    """Rounds of training that go on from one another, as one curve: steps are counted through."""
    found: Curve = []
    for one in rounds:
        before = found[-1]["step"] if found else 0.0
        found += [{**point, "step": point["step"] + before} for point in one]
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
