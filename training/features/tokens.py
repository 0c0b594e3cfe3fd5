"""Tokens of whole data sets, computed once by the shipped encoders and cached on the disk in float16.

Training reads what the app will read: the same graphs, the same preprocessing. A cache file is named by the identity of
the weights and of the rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.encoders.base import GRID
from models.encoders.mini import MiniEncoder
from models.tokenizers.base import length_batches
from training.features.cache import cached_arrays, cached_rows

BATCH_SIZE = 64
MIN_LENGTH = 2  # tokens of a padded batch of texts: a traced graph must not see an axis of length 1


@dataclass(frozen=True)
class ImageTokens:
    """tokens: float16 [images, 49, 1280]."""

    tokens: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, 49, 1280) and their mask; row -1 is an absent image."""
        index = np.asarray(rows)
        tokens = torch.from_numpy(self.tokens[np.maximum(index, 0)]).float()
        mask = torch.from_numpy(index >= 0)[:, None].expand(-1, tokens.shape[1])
        return tokens * mask[..., None], mask


@dataclass(frozen=True)
class TextTokens:
    """tokens: float16 [all word pieces, 768], one text after the other; text i is starts[i]:starts[i + 1]."""

    tokens: np.ndarray
    starts: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, W, 768), padded, and their mask; row -1 is an absent text."""
        texts = [self.tokens[self.starts[row] : self.starts[row + 1]] if row >= 0 else None for row in rows]
        return pad_tokens(texts, width=self.tokens.shape[1], min_length=MIN_LENGTH)


def pad_tokens(rows: Sequence[np.ndarray | None], *, width: int, min_length: int) -> tuple[Tensor, Tensor]:
    """Tokens [n, width] of each row, or None, to one padded tensor float32 (B, N, width) and its mask (B, N)."""
    arrays = [torch.zeros(0, width) if row is None else torch.from_numpy(row.astype(np.float32)) for row in rows]
    tokens = pad_sequence([*arrays, torch.zeros(min_length, width)], batch_first=True)[:-1]
    lengths = torch.tensor([len(row) for row in arrays])
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def image_tokens(images: Sequence[bytes], encoder: MiniEncoder, cache: Path) -> ImageTokens:
    """Tokens of images given as the bytes of their files."""

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(images), BATCH_SIZE):
            batch = [Image.open(io.BytesIO(image)).convert("RGB") for image in images[start : start + BATCH_SIZE]]
            yield encoder.encode_images(batch).tokens

    shape = (len(images), GRID * GRID, encoder.image_width)  # more than a gigabyte for all images of a training
    key: list[str | bytes] = [encoder.cards[0].identity, *images]
    return ImageTokens(cached_rows(cache, "image-tokens", key, blocks, shape=shape, dtype=np.float16))


def text_tokens(texts: Sequence[str], encoder: MiniEncoder, cache: Path, *, max_pieces: int = 96) -> TextTokens:
    """Tokens of texts, of each the first `max_pieces` word pieces."""

    def encode(batch: Sequence[str]) -> list[np.ndarray]:
        encoded = encoder.encode_texts(batch)
        lengths = np.minimum(encoded.mask.sum(1), max_pieces)
        return [row[:length].astype(np.float16) for row, length in zip(encoded.tokens, lengths, strict=True)]

    return cached_text_tokens(texts, encode, f"{encoder.cards[1].identity} {max_pieces}", cache)


def cached_text_tokens(
    texts: Sequence[str], encode: Callable[[Sequence[str]], list[np.ndarray]], identity: str, cache: Path
) -> TextTokens:
    """Tokens float16 [pieces, width] of each text as `encode` gives them for a batch of texts of like length.

    `identity` names the encoder and its settings.
    """

    def compute() -> dict[str, np.ndarray]:
        rows: list[np.ndarray] = [np.zeros((0, 0), np.float16)] * len(texts)
        for batch in length_batches([len(text) for text in texts], BATCH_SIZE):
            for row, tokens in zip(batch, encode([texts[row] for row in batch]), strict=True):
                rows[row] = tokens
        return {"tokens": np.concatenate(rows), "starts": np.cumsum([0, *map(len, rows)])}

    return TextTokens(**cached_arrays(cache, "text-tokens", [identity, *texts], compute))
