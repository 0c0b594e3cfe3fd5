"""Memotion as the ResNet50 + BERT system takes it: positive or negative, without copies and without empty rows.

Words are lower-cased and freed of special characters by the text side itself (`clean` in the recipe), so that the app
does the same; what is done here is what is done to rows: copies and empty ones go, pictures have to be there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from models.tokenizers.words import cleaned
from training.datasets import memotion
from training.datasets.base import Row
from training.datasets.problems import readable


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """Rows with words and a picture, each once; a sentence for those whose picture cannot be read."""
    rows, problems = memotion.load(part, folder)
    once: dict[str, Row] = {}
    for row in rows:
        if row.image and row.text and cleaned(row.text):
            once.setdefault(hashlib.sha256(cleaned(row.text).encode() + row.image).hexdigest(), row)
    kept, strange = readable(once.values())
    return [row for row in kept if row.image is not None], problems + strange
