"""Tokens of whole data sets, computed once by the shipped encoders and kept in float16 on the disk.

What training sees is what the app will see: the same graphs, the same preprocessing. A cache file is named by the
identity of the weights that made it and of the rows that went in.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.encoders.base import GRID
from models.encoders.mini import MiniEncoder


@dataclass(frozen=True)
class Pictures:
    """tokens: float16 [pictures, 49, 1280]."""

    tokens: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, 49, 1280) and their mask; row -1 is an absent picture."""
        index = np.asarray(rows)
        tokens = torch.from_numpy(self.tokens[np.maximum(index, 0)]).float()
        mask = torch.from_numpy(index >= 0)[:, None].expand(-1, tokens.shape[1])
        return tokens * mask[..., None], mask


@dataclass(frozen=True)
class Texts:
    """tokens: float16 [all word pieces, 768], one text after the other; text i is starts[i]:starts[i + 1]."""

    tokens: np.ndarray
    starts: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, longest, 768) and their mask; row -1 is an absent text."""
        lengths = [self.starts[row + 1] - self.starts[row] if row >= 0 else 0 for row in rows]
        longest = max(2, *lengths)
        tokens = torch.zeros(len(lengths), longest, self.tokens.shape[1])
        mask = torch.zeros(len(lengths), longest, dtype=torch.bool)
        for at, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            if length:
                tokens[at, :length] = torch.from_numpy(
                    self.tokens[self.starts[row] : self.starts[row] + length]
                ).float()
                mask[at, :length] = True
        return tokens, mask


def pictures(data: Sequence[bytes], encoder: MiniEncoder, cache: Path) -> Pictures:
    """Encodes pictures given as bytes, or takes them from the cache."""
    file = _cache_file(cache, "pictures", encoder.cards[0].identity, data)
    if not file.is_file():
        part = file.with_suffix(".part")
        shape = (len(data), GRID * GRID, encoder.image_width)
        # Straight to the disk: all pictures of a fitting together are more than a gigabyte.
        tokens = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=shape)
        for start in range(0, len(data), 64):
            images = [Image.open(io.BytesIO(one)).convert("RGB") for one in data[start : start + 64]]
            tokens[start : start + 64] = encoder.encode_images(images).tokens
        tokens.flush()
        part.replace(file)  # only a whole file has the name that is looked for
    return Pictures(np.load(file, mmap_mode="r"))


def texts(data: Sequence[str], encoder: MiniEncoder, cache: Path, *, longest: int = 96) -> Texts:
    """Encodes texts, or takes them from the cache; of each the first `longest` word pieces are kept."""

    def compute(some: Sequence[str]) -> list[np.ndarray]:
        found = encoder.encode_texts(some)
        lengths = found.mask.sum(1)
        return [row[:length][:longest].astype(np.float16) for row, length in zip(found.tokens, lengths, strict=True)]

    return kept_texts(data, compute, encoder.cards[1].identity, cache)


def kept_texts(
    data: Sequence[str], compute: Callable[[Sequence[str]], list[np.ndarray]], identity: str, cache: Path
) -> Texts:
    """Tokens float16 [pieces, width] a text as `compute` gives them, like lengths together, or from the cache."""
    file = _cache_file(cache, "texts", identity, [text.encode() for text in data])
    if not file.is_file():
        order = np.argsort([len(text) for text in data], kind="stable")
        rows: list[np.ndarray] = [np.zeros((0, 0), np.float16)] * len(data)
        for start in range(0, len(data), 64):
            some = order[start : start + 64]
            for row, tokens in zip(some, compute([data[row] for row in some]), strict=True):
                rows[row] = tokens
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        part = file.with_suffix(".part.npz")
        np.savez(part, tokens=np.concatenate(rows), starts=starts)
        part.replace(file)
    loaded = np.load(file)
    return Texts(loaded["tokens"], loaded["starts"])


def _cache_file(cache: Path, kind: str, identity: str, data: Sequence[bytes]) -> Path:
    digest = hashlib.sha256(identity.encode())
    for one in data:
        digest.update(hashlib.sha256(one).digest())
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"{kind}-{digest.hexdigest()[:16]}.{'npy' if kind == 'pictures' else 'npz'}"
