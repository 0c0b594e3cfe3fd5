"""Flickr8k (Hodosh et al. 2013): photographs, squashed to 224x224, with five captions each."""

from __future__ import annotations

from pathlib import Path

from training.datasets.parquet import read_part
from training.datasets.rows import Row


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """No label; `details["captions"]` holds the five sentences."""
    return read_part("flickr8k", part, folder, label=None, details=("captions",))
