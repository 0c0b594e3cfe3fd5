"""What all tokenizers share: pieces with the characters that they come from, padding, batches of like length.

Also whole words as ids, for models that learned their own embeddings.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models.analysis import Span
from models.io.captions import Normalized, normalize

PADDING, UNKNOWN, FIRST = 0, 1, 2
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


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


def split(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return _WORD.findall(normalize(text).text.lower())


def cleaned(text: str) -> str:
    """Lower-case words and numbers with single spaces between them: no punctuation, no special characters."""
    return " ".join(split(text))


class WordList:
    """The known words, most frequent first; any other is UNKNOWN. Texts are cut after `max_length` words."""

    def __init__(self, words: Sequence[str], max_length: int = 96) -> None:
        self.words, self.max_length = tuple(words), max_length
        self._index = {word: word_id for word_id, word in enumerate(words, start=FIRST)}

    def ids(self, text: str) -> list[int]:
        """One id a word."""
        return [self._index.get(word, UNKNOWN) for word in split(text)[: self.max_length]]

    def batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids int64 [texts, words of the longest text] and their bool mask; two columns at least."""
        rows = [self.ids(text) for text in texts]
        return pad(rows, max([2, *map(len, rows)]), PADDING)
