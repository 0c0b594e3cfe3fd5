"""GoEmotions (Demszky et al. 2020): short comments with any of 27 emotions, or neutral."""

from __future__ import annotations

from pathlib import Path

from training.datasets.base import Row
from training.datasets.parquet import read_part


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: a tuple of one or more of the 28 names."""
    return read_part("goemotions", part, folder, label="labels", needed=("text", "labels"))
