"""Stores of prepared inputs (`TokenStore`): token ids, pixels, mean tokens, and rows of which some lack the modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.fusion.base import masked_mean
from models.io.images import IMAGENET_MEAN, IMAGENET_STD
from models.tokenizers.base import pad
from training.backbones.base import TokenStore
from training.features.tokens import MIN_LENGTH

POOL_BATCH_SIZE = 256


@dataclass(frozen=True)
class PartialStore:
    """A store of the rows that have this modality; `positions` in it by row, -1 for the other rows."""

    store: TokenStore
    positions: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """As the inner store's; rows without this modality have an empty mask."""
        index = np.asarray(rows)
        return self.store.batch(np.where(index >= 0, self.positions[index], -1))


def prepare_present(data: Sequence[Any], build: Callable[[Sequence[Any]], TokenStore]) -> PartialStore:
    """The store that `build` makes of the items that are not None."""
    present = [number for number, item in enumerate(data) if item is not None]
    positions = np.full(len(data), -1)
    positions[present] = np.arange(len(present))
    return PartialStore(build([data[number] for number in present]), positions)


@dataclass(frozen=True)
class PooledStore:
    """The mean token of each row that has any, float32 [rows, width]; `present` bool [rows]."""

    means: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, store: PartialStore) -> PooledStore:
        """From a store of all tokens, a few rows at a time."""
        rows = np.arange(len(store.positions))
        batches = [rows[start : start + POOL_BATCH_SIZE] for start in range(0, len(rows), POOL_BATCH_SIZE)]
        means = [masked_mean(*store.batch(batch)).numpy() for batch in batches]
        return cls(np.concatenate(means) if means else np.zeros((0, 1), np.float32), store.positions >= 0)

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Means (B, 1, width) and their mask (B, 1)."""
        index = np.asarray(rows)
        mask = torch.from_numpy((index >= 0) & self.present[index])[:, None]
        return torch.from_numpy(self.means[index])[:, None] * mask[..., None], mask


@dataclass(frozen=True)
class IdStore:
    """Token ids of each text."""

    ids: Sequence[Sequence[int]]
    padding: int = 0

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Ids int64 (B, W), padded, and their mask (B, W)."""
        texts = [self.ids[row] if row >= 0 else [] for row in rows]
        ids, mask = pad(texts, max([MIN_LENGTH, *map(len, texts)]), self.padding)
        return torch.from_numpy(ids), torch.from_numpy(mask)


@dataclass(frozen=True)
class PixelStore:
    """Images uint8 [images, side, side, 3], normalised by ImageNet's mean and standard deviation in a batch."""

    pixels: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """float32 (B, 3, side, side) and a mask (B, 1)."""
        index = np.asarray(rows)
        pixels = torch.from_numpy(self.pixels[np.maximum(index, 0)]).float() / 255
        normalised = (pixels - torch.from_numpy(IMAGENET_MEAN)) / torch.from_numpy(IMAGENET_STD)
        mask = torch.from_numpy(index >= 0)[:, None]
        return normalised.permute(0, 3, 1, 2) * mask[..., None, None], mask


@dataclass(frozen=True)
class ImageStore:
    """Images as a tower's own preprocessing leaves them, (images, 3, side, side)."""

    images: Tensor

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """(B, 3, side, side) and a mask (B, 1)."""
        index = torch.as_tensor(rows)
        return self.images[index.clamp(min=0)], (index >= 0)[:, None]
