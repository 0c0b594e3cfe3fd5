"""Memotion as the ResNet50 + BERT system takes it: positive or negative, without copies and without empty rows.

Words are lower-cased and freed of special characters by the text side itself (`clean` in the recipe), so that the app
does the same; what is done here is what is done to rows: copies and empty ones go, pictures have to be there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from models.encoders.words import cleaned
from training.datasets import memotion
from training.datasets.problems import readable
from training.datasets.rows import Row


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """Rows with words and a picture, each once; a sentence for those whose picture cannot be read."""
    rows, problems = memotion.load(part, folder)
    kept, strange = readable(row for row in rows if row.text and cleaned(row.text) and row.image)
    seen: set[str] = set()
    found = []
    for row in kept:
        if row.image is None:
            continue
        key = hashlib.sha256(cleaned(row.text or "").encode() + row.image).hexdigest()
        if key not in seen:
            seen.add(key)
            found.append(row)
    return found, problems + strange
