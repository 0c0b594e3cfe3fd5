"""The interface of a pretrained tower in a multitask model: its spec, its trainable module, and stores of prepared inputs.

`prepare` runs once over all rows (word pieces looked up, images decoded and resized, frozen towers run); the module runs
in every step and is trained with the rest of the model unless the tower is frozen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import SubtextError
from models.fusion.base import masked_mean
from models.io.images import IMAGENET_MEAN, IMAGENET_STD
from models.tokenizers.base import pad
from training.config import Config
from training.features.tokens import MIN_LENGTH

Modality = Literal["image", "text"]
POOL_BATCH_SIZE = 256


class BackboneUnavailable(SubtextError):
    """A backbone's weights or its package are not on this machine and cannot be fetched."""


@dataclass(frozen=True)
class BackboneSpec(Config):
    """What a configuration says of one modality: the encoder's spec, whether it is finetuned, and its input sizes."""

    encoder: str
    finetune: bool = False
    max_length: int = 96  # word pieces, or words
    side: int = 224  # pixels
    pooled: bool = False  # the mean token alone: as good for small heads, and a hundred times less to compute
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What follows the colon: `roberta-base` of `hf:roberta-base`."""
        return self.encoder.partition(":")[2]


class TokenStore(Protocol):
    """Prepared inputs of all rows of one modality."""

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Inputs (B, N, ...) and their mask (B, N); row -1 lacks this modality, its mask is all False."""
        ...


class Backbone(ABC):
    """The encoder of one modality. Subclasses set `input_kind`, `width`, `module`, `card` and define `store`.

    input_kind: what the app feeds to the exported graph (see `models/classifiers/multitask.py`). width: of a token.
    module: `module(inputs, mask)` gives (tokens, mask). card: settings for the card of the trained model. front: a frozen
    part that `prepare` has run already; the exported graph begins with it. words: the vocabulary of a backbone that learns
    its own. pretrained: False where the weights start at random.
    """

    input_kind: str
    width: int
    module: nn.Module
    card: dict[str, Any]
    front: nn.Module | None = None
    words: list[str] | None = None
    pretrained = True

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        self.modality, self.spec, self.cache = modality, spec, cache

    def freeze_unless_finetuned(self) -> None:
        """Takes the gradients from a module that the spec does not finetune."""
        if not self.spec.finetune:
            self.module.requires_grad_(False)

    def learn_words(self, texts: Sequence[str | None]) -> None:  # noqa: B027  # a hook that most need not define
        """Takes the vocabulary from training texts, for a backbone that learns its own."""

    @abstractmethod
    def store(self, items: Sequence[Any]) -> TokenStore:
        """The inputs of the rows that have this modality, from texts (str) or pictures (bytes)."""

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """The inputs of all rows, from texts or pictures, None where a row has none."""
        return PartialStore.of(data, self.store)


@dataclass(frozen=True)
class PartialStore:
    """A store of the rows that have this modality; `positions` in it by row, -1 for the other rows."""

    store: TokenStore
    positions: np.ndarray

    @classmethod
    def of(cls, data: Sequence[Any], build: Callable[[Sequence[Any]], TokenStore]) -> PartialStore:
        """The store that `build` makes of the items that are not None."""
        present = [number for number, item in enumerate(data) if item is not None]
        positions = np.full(len(data), -1)
        positions[present] = np.arange(len(present))
        return cls(build([data[number] for number in present]), positions)

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """As the inner store's; rows without this modality have an empty mask."""
        index = np.asarray(rows)
        return self.store.batch(np.where(index >= 0, self.positions[index], -1))


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
class ImageStore:
    """Images as a tower's own preprocessing leaves them, (images, 3, side, side), or uint8 (images, side, side, 3).

    The latter are normalised by ImageNet's mean and standard deviation in a batch.
    """

    images: Tensor

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """float32 (B, 3, side, side) and a mask (B, 1)."""
        index = torch.as_tensor(rows)
        pixels, mask = self.images[index.clamp(min=0)], (index >= 0)[:, None]
        if pixels.dtype == torch.uint8:
            pixels = (pixels.float() / 255 - torch.from_numpy(IMAGENET_MEAN)) / torch.from_numpy(IMAGENET_STD)
            pixels = pixels.permute(0, 3, 1, 2) * mask[..., None, None]
        return pixels, mask
