"""Texts to word pieces and their embeddings, which all MiniLM encoders share.

The embedding table lies in `weights/mini_vocabulary` and is memory-mapped: a caption touches a few of its 30,522 rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models import weights
from models.analysis import Span
from models.io.captions import normalize
from models.tokenizers.base import encode, length_batches
from models.weights import Card

MAX_PIECES = 256  # word pieces; MiniLM-L6 was trained up to here


@dataclass(frozen=True)
class WordPieces:
    """embedded: float32 [batch, n, 384]; mask: int64 [batch, n]; spans as in `Tokens`; cut: whether a text was cut."""

    embedded: np.ndarray
    mask: np.ndarray
    spans: tuple[tuple[Span, ...], ...]
    cut: tuple[bool, ...]

    def batches(self, size: int) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Rows, texts of like length together, with what the networks of weights/ take for them."""
        lengths = self.mask.sum(1)
        for rows in length_batches(lengths, size):
            width = int(lengths[rows].max())
            yield rows, {"embedded": self.embedded[rows, :width], "mask": self.mask[rows, :width]}


class Vocabulary:
    """MiniLM's tokenizer and embedding table. Thread-safe; texts are cut after `max_length` pieces."""

    def __init__(self, card: Card | None = None, *, max_length: int = MAX_PIECES) -> None:
        self.card = card or weights.card("mini_vocabulary")
        self.max_length = max_length
        self._tokenizer = Tokenizer.from_file(str(self.card.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self._table = weights.tensor(self.card, "word_embeddings")  # (30522, 384) float16

    def look_up(self, texts: Sequence[str]) -> WordPieces:
        """Embedded pieces of texts, which are normalised here; spans are characters of the texts as given."""
        pieces = encode(self._tokenizer, [normalize(text) for text in texts])
        embedded = self._table[pieces.ids].astype(np.float32)
        return WordPieces(embedded, pieces.mask.astype(np.int64), pieces.spans, pieces.cut)
