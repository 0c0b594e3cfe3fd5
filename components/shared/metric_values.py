"""The figures that stand in a folder of weights/: what training measured, each with its interval and its baseline."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from models import weights

MOST = 2
QUESTION = "How often it ranks a meme that people marked above one that they did not (guessing: 50%)"


@dataclass(frozen=True)
class Figure:
    """AUROC on the rows named, with its 95% interval; `rows` is their number. Always the commonest answer gets 0.5."""

    on: str
    auroc: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        on = self.on.replace("_", " ")
        return f"AUROC {self.auroc:.2f} ({self.low:.2f}–{self.high:.2f}, chance 0.50) on {on}, {self.rows:,} rows"

    @property
    def plain(self) -> str:
        """The same for who has never heard of AUROC, to follow `QUESTION`: it is the share of pairs in the right order."""
        told = self.on.replace("_", " ")
        kind, _, data = told.partition(", ")
        where = f"{data}, unseen in training" if kind == "out of fold" and data else told
        return f"{self.auroc:.0%} of pairs ({self.low:.0%} to {self.high:.0%}): {self.rows:,} memes, {where}"


def of(names: Iterable[str]) -> list[Figure]:
    """The verdict's figures of whichever of these folders has any; validation and out-of-fold rows are said as such."""
    for name in names:
        if not name.startswith("hate_"):
            continue
        try:
            told: dict[str, Any] = json.loads((weights.root() / name / "metrics.json").read_text(encoding="utf-8"))
            found = [
                Figure(on, row["auroc"], row["auroc_low"], row["auroc_high"], row["rows"])
                for on, row in told.items()
                if isinstance(row, dict) and "auroc_low" in row
            ]
        except (OSError, ValueError, KeyError):
            continue
        return sorted(found, key=lambda figure: not figure.on.startswith(("test", "out of fold")))[:MOST]
    return []
