"""Whole words as ids, for models that learned their own embeddings."""

import re
from collections.abc import Sequence

import numpy as np

from models.io.captions import normalize
from models.tokenizers.base import pad

PADDING, UNKNOWN, FIRST = 0, 1, 2
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def split_words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return _WORD.findall(normalize(text).text.lower())


def cleaned(text: str) -> str:
    """Lower-case words and numbers with single spaces between them: no punctuation, no special characters."""
    return " ".join(split_words(text))


class WordList:
    """The known words, most frequent first; any other is UNKNOWN. Texts are cut after `max_length` words."""

    def __init__(self, words: Sequence[str], max_length: int) -> None:
        self._max_length = max_length
        self._index = {word: word_id for word_id, word in enumerate(words, start=FIRST)}

    def ids(self, text: str) -> list[int]:
        """One id per word."""
        return [self._index.get(word, UNKNOWN) for word in split_words(text)[: self._max_length]]

    def batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids int64 [texts, words of the longest text] and their bool mask; two columns at least."""
        rows = [self.ids(text) for text in texts]
        return pad(rows, max([2, *map(len, rows)]), PADDING)
