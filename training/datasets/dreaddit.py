"""Dreaddit (Turcan and McKeown 2019): forum posts, written under stress or not."""

from __future__ import annotations

from pathlib import Path

from training.datasets.parquet import read_part
from training.datasets.rows import Row


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: 1 = stress; `details`: the domain, the forum and how sure the annotators were."""
    details, needed = ("domain", "subreddit", "confidence"), ("text", "stress", "domain")
    return read_part("dreaddit", part, folder, label="stress", details=details, needed=needed)
