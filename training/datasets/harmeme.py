"""HarMeme / Harm-C: COVID-19 memes, harmful or not (Pramanick et al. 2021). Harmful is not hateful."""

from __future__ import annotations

from pathlib import Path

from training.datasets.parquet import read_part
from training.datasets.rows import Row


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: 1 = harmful; `details`: the degrees of harm and whom it is aimed at (empty where not harmful)."""
    details, needed = ("raw_label", "harm_level", "target"), ("image", "text", "label", "target")
    return read_part("harmeme", part, folder, details=details, needed=needed)
