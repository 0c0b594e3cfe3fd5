"""OASIS (Kurdi et al. 2017): photographs with how pleasant and how stirring people found them, 1 to 7."""

from __future__ import annotations

from pathlib import Path

from training.datasets.parquet import read_part
from training.datasets.rows import Row

RATINGS = ("valence_mean", "valence_sd", "arousal_mean", "arousal_sd")


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """No label; `details`: the ratings, the theme and category, and whom to credit."""
    return read_part("oasis", part, folder, label=None, details=("theme", "category", "picture_credit", *RATINGS))
