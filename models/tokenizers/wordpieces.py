"""Text to word pieces and their embeddings: the part that all MiniLM towers share.

The embedding table lies in `weights/mini_vocabulary` and is memory-mapped: a caption touches a few of its 30,522 rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models import weights
from models.analysis import Span
from models.io.captions import normalize
from models.weights import Card

LONGEST = 256  # word pieces; MiniLM-L6 was trained up to here


@dataclass(frozen=True)
class WordPieces:
    """embedded: float32 [batch, n, 384]; mask: int64 [batch, n]; spans as in `Tokens`; cut: whether a text was cut."""

    embedded: np.ndarray
    mask: np.ndarray
    spans: tuple[tuple[Span, ...], ...]
    cut: tuple[bool, ...]


class Vocabulary:
    """Safe to share between threads."""

    def __init__(self, card: Card | None = None, *, longest: int = LONGEST) -> None:
        self.card = card or weights.card("mini_vocabulary")
        self.longest = longest
        self._tokenizer = Tokenizer.from_file(str(self.card.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        self._table = weights.tensor(self.card, "word_embeddings")  # (30522, 384) float16

    def look_up(self, texts: Sequence[str]) -> WordPieces:
        """Texts as shown; they are normalised here, and spans point back into the text as shown."""
        plain = [normalize(text) for text in texts]
        pieces = self._tokenizer.encode_batch([text.text for text in plain])
        longest = max((len(piece.ids) for piece in pieces), default=0)
        ids = np.zeros((len(texts), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        spans = []
        for row, (text, piece) in enumerate(zip(plain, pieces, strict=True)):
            ids[row, : len(piece.ids)] = piece.ids
            mask[row, : len(piece.ids)] = 1
            spans.append(tuple(text.to_shown(*offsets) if offsets[1] else (0, 0) for offsets in piece.offsets))
        cut = tuple(bool(piece.overflowing) for piece in pieces)
        return WordPieces(self._table[ids].astype(np.float32), mask, tuple(spans), cut)
