"""Religiously hateful memes with OCR text; the labels are noisy."""

from __future__ import annotations

from pathlib import Path

from training.datasets.base import Row
from training.datasets.parquet import read_part


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: 1 = hateful."""
    return read_part("religious_hateful", part, folder, needed=("image", "text", "label"))
