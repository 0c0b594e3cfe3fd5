"""What all tokenizers give for a batch of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def pad(rows: Sequence[Sequence[int]], width: int, value: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as int64 [rows, width], filled with `value`, and their bool mask [rows, width]; True = a real id."""
    ids = np.full((len(rows), width), value, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=bool)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, True
    return ids, mask


def length_batches(lengths: Sequence[int] | np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Row numbers in batches of `size`, texts of like length together, so that little is spent on padding."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]
