"""What every encoder gives for one side of a meme."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image

from models.analysis import Span

Side = TypeVar("Side")  # a picture or a text
JOINT = 512  # width of `Tokens.pooled`: pictures and words lie in one space
GRID = 7  # regions across and down, whatever the model's own grid is


@dataclass(frozen=True)
class Tokens:
    """One side of a batch: what the fusion attends over.

    tokens: float32 [batch, n, width]; mask: bool [batch, n], True = a real token; pooled: float32 [batch, 512]
    (open_clip's larger models: their own width).
    spans: of texts, one tuple a text with the characters start:end of each token (0:0 for the tokens that mark start and
    end); empty for regions, which are a 7x7 grid over the whole picture, row by row. cut: of texts, whether each was
    longer than the encoder reads.
    """

    tokens: np.ndarray
    mask: np.ndarray
    pooled: np.ndarray
    spans: tuple[tuple[Span, ...], ...] = ()
    cut: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        if self.tokens.shape[:2] != self.mask.shape or len(self.pooled) != len(self.tokens):
            raise ValueError(f"tokens {self.tokens.shape}, mask {self.mask.shape}, pooled {self.pooled.shape} disagree")

    def take(self, rows: Sequence[int]) -> Tokens:
        """These rows of the batch; a row may be taken more than once."""
        spans = tuple(self.spans[row] for row in rows) if self.spans else ()
        cut = tuple(self.cut[row] for row in rows) if self.cut else ()
        return Tokens(self.tokens[list(rows)], self.mask[list(rows)], self.pooled[list(rows)], spans, cut)


def encode_in_batches(
    images: Sequence[Image.Image],
    size: int,
    encode: Callable[[Sequence[Image.Image]], Sequence[np.ndarray]],
    widths: tuple[int, int],
) -> Tokens:
    """Pictures, `size` at a time, by `encode`, which gives the tokens [batch, 49, widths[0]] and pooled [batch, widths[1]]."""
    parts = [encode(images[start : start + size]) for start in range(0, len(images), size)] or [
        (np.zeros((0, GRID * GRID, widths[0]), np.float32), np.zeros((0, widths[1]), np.float32))
    ]
    tokens, pooled = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Tokens(tokens, np.ones(tokens.shape[:2], dtype=bool), pooled)


def encode_rows(encode: Callable[[list[Side]], Tokens], items: Mapping[int, Side], count: int) -> Tokens | None:
    """The tokens of `items` at their rows of a batch of `count`; None without an item.

    Rows without an item are masked, which a fusion takes for absent.
    """
    if not items:
        return None
    tokens = encode(list(items.values()))
    if len(items) == count:
        return tokens

    def scatter(values: np.ndarray) -> np.ndarray:
        array = np.zeros((count, *values.shape[1:]), values.dtype)
        array[list(items)] = values
        return array

    return Tokens(scatter(tokens.tokens), scatter(tokens.mask), scatter(tokens.pooled))


def masked_mean(tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of each row's real tokens: [batch, n, width] and bool [batch, n] to [batch, width]; 0 without any."""
    return (tokens * mask[..., None]).sum(1) / np.maximum(mask.sum(1, keepdims=True), 1)


class Encoder(Protocol):
    """Pictures and words to tokens. Thread-safe."""

    image_width: int  # of a picture's tokens
    text_width: int  # of a text's tokens

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        """One row a picture."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """One row a text."""
        ...
