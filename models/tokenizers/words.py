"""Whole words by number, for systems that learned their own embeddings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.io.captions import normalize

PADDING, UNKNOWN, FIRST = 0, 1, 2
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def split(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return _WORD.findall(normalize(text).text.lower())


def cleaned(text: str) -> str:
    """Lower-case words and numbers with single spaces between them: no punctuation, no special characters."""
    return " ".join(split(text))


@dataclass(frozen=True)
class WordList:
    """The words known, from the commonest on; any other is UNKNOWN. Texts are cut after `longest` words."""

    words: tuple[str, ...]
    longest: int = 96
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {word: number for number, word in enumerate(self.words, start=FIRST)}
        object.__setattr__(self, "_index", index)

    def numbers(self, text: str) -> list[int]:
        """One number a word."""
        return [self._index.get(word, UNKNOWN) for word in split(text)[: self.longest]]

    def batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """int64 [texts, longest of them] and bool mask; two columns at least."""
        rows = [self.numbers(text) for text in texts]
        width = max([2, *(len(row) for row in rows)])
        numbers, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), bool)
        for at, row in enumerate(rows):
            numbers[at, : len(row)], mask[at, : len(row)] = row, True
        return numbers, mask
