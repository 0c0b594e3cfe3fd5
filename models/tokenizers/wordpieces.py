"""Texts to pieces of words and their embeddings, which all word towers share.

`mini_vocabulary` holds unigram pieces of many languages (Kudo 2018, "Subword Regularization"), `minilm_vocabulary` MiniLM's
English word pieces. The embedding table lies in the folder and is memory-mapped: a caption touches a few of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models import weights
from models.analysis import Span
from models.errors import BadWeights
from models.io.captions import Normalized, normalize
from models.tokenizers.base import encode, length_batches, pad
from models.tokenizers.blocks import decode_blocks
from models.weights import Card

MAX_PIECES = 256  # of a text; the towers were trained up to here
CAPITALS = 0.6  # fraction of the cased letters from which on a text is read in small letters


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
    """A tokenizer and its embedding table. Thread-safe; texts are cut after `max_length` pieces."""

    def __init__(self, card: Card | None = None, *, max_length: int = MAX_PIECES) -> None:
        self.card = card or weights.card("mini_vocabulary")
        self.max_length = max_length
        self._tokenizer = Tokenizer.from_file(str(self.card.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self._in_blocks = self.card.config.get("table") == "blocks"
        # float16 [pieces, 384], or blocks uint8 [pieces, 12, 18]
        self._table = weights.tensor(self.card, "blocks" if self._in_blocks else "word_embeddings")

    @classmethod
    def of(cls, user: Card, loaded: Vocabulary | None = None) -> Vocabulary:
        """The vocabulary that a network was trained on: `loaded` where that is the one, else from weights/.

        The network's card names it with its identity. Raises `BadWeights` where weights/ holds another one of that name.
        """
        ((name, identity),) = user.setting("vocabulary").items()
        vocabulary = loaded if loaded is not None and loaded.card.name == name else cls(weights.card(name))
        if vocabulary.card.identity != identity:
            fix = weights.RESTORE.format(name=user.name)
            raise BadWeights(
                f"weights/{user.name} was trained on other word pieces than those in weights/{name}: {fix}."
            )
        return vocabulary

    def look_up(self, texts: Sequence[str]) -> WordPieces:
        """Embedded pieces of texts, which are normalised here; spans are characters of the texts as given."""
        pieces = encode(self._tokenizer, [in_small_letters(normalize(text)) for text in texts])
        return WordPieces(self._embedded(pieces.ids), pieces.mask.astype(np.int64), pieces.spans, pieces.cut)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of texts' pieces, as `look_up` finds them."""
        encodings = self._tokenizer.encode_batch([in_small_letters(normalize(text)).text for text in texts])
        return [encoding.ids for encoding in encodings]

    def embed(self, rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of ids to float32 [rows, n, 384], padded, and their mask int64 [rows, n]."""
        ids, mask = pad(rows, max(map(len, rows), default=0))
        return self._embedded(ids), mask.astype(np.int64)

    def _embedded(self, ids: np.ndarray) -> np.ndarray:
        rows = self._table[ids]
        return decode_blocks(rows) if self._in_blocks else rows.astype(np.float32)


def in_small_letters(text: Normalized) -> Normalized:
    """A text in capitals, as on many memes, in small letters: the pieces of capitals are few and rarely learned."""
    capitals = sum(character.isupper() for character in text.text)
    if capitals < CAPITALS * max(1, capitals + sum(character.islower() for character in text.text)):
        return text
    small = "".join(lower if len(lower := character.lower()) == 1 else character for character in text.text)
    return Normalized(small, text.origins)
