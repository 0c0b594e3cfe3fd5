"""Memotion 7k (Sharma et al. 2020, SemEval task 8): memes at 128x128, so their words are in `text`, not to be read."""

from __future__ import annotations

from pathlib import Path

from training.datasets.parquet import read_part
from training.datasets.rows import Row

ASPECTS = ("humour", "sarcasm", "offensive", "motivational", "overall_sentiment")


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: the overall sentiment; `details`: all five aspects as their annotators graded them."""
    return read_part("memotion", part, folder, label="overall_sentiment", identity="image_name", details=ASPECTS)
