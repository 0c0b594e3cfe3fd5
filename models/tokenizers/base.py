"""What all tokenizers share: pieces with the characters that they come from, padding, batches of like length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models.analysis import Span
from models.io.captions import Normalized


@dataclass(frozen=True)
class Pieces:
    """ids: int64 [batch, n], padded after a text's end; mask: bool [batch, n]; spans and cut as in `Tokens`."""

    ids: np.ndarray
    mask: np.ndarray
    spans: tuple[tuple[Span, ...], ...]
    cut: tuple[bool, ...]


def encode(tokenizer: Tokenizer, texts: Sequence[Normalized], padding: int = 0) -> Pieces:
    """Pieces of texts, cut where the tokenizer's truncation says; spans are characters of the texts as shown."""
    encodings = tokenizer.encode_batch([text.text for text in texts])
    rows = [encoding.ids for encoding in encodings]
    spans = tuple(
        tuple(text.to_shown(*offsets) if offsets[1] else (0, 0) for offsets in encoding.offsets)
        for text, encoding in zip(texts, encodings, strict=True)
    )
    cut = tuple(bool(encoding.overflowing) for encoding in encodings)
    return Pieces(*pad(rows, max(map(len, rows), default=0), padding), spans, cut)


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
