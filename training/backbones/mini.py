"""`mini`: the shipped towers, run once over all rows; with `tune`, the text's upper layers are trained along.

`mini_words` gives the third layer's states beside the last one's. A system that tunes takes the third layer's and reads
them with all-MiniLM-L6-v2's own upper three layers, which it trains: half of a tower, on top of one that is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import weights
from models.encoders.mini import MiniEncoder
from models.errors import BadInput
from training.backbones.base import Asked, Store, Through
from training.backbones.sentences import WIDTH, minilm_folder
from training.features import tokens as features

TOWERS = {"image": ("mini_picture",), "text": ("mini_words", "mini_vocabulary")}
LAYERS = 3  # those above the state that `mini_words` gives first


@cache
def shipped() -> MiniEncoder:
    """One for all systems that are fitted in this process."""
    return MiniEncoder()


@dataclass(frozen=True)
class Sparse:
    """A store of the rows that have this side; `place` is -1 for the others."""

    store: Store
    place: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        index = np.asarray(rows)
        return self.store.batch(np.where(index >= 0, self.place[index], -1))


def sparse(data: Sequence[Any], build: Any) -> Sparse:
    """`build` over what is there."""
    there = [number for number, one in enumerate(data) if one is not None]
    place = np.full(len(data), -1)
    place[there] = np.arange(len(there))
    return Sparse(build([data[number] for number in there]), place)


class Mini:
    """49 patches of 1280, or word pieces of 768, kept in `cache`."""

    spec = reads = "mini"

    def __init__(self, modality: str, asked: Asked, cache: Path) -> None:
        if asked.tune and modality == "image":
            raise BadInput(
                "The picture tower of mini is not trained further: leave out `tune` in its part of the recipe."
            )
        self.modality, self.asked, self.cache = modality, asked, cache
        self.width = MiniEncoder.image_width if modality == "image" else MiniEncoder.text_width
        if asked.pooled and asked.tune:
            raise BadInput("What is trained further reads all tokens: leave out `pooled` or `tune`.")
        self.module: nn.Module = Upper(**asked.options) if asked.tune else Mean() if asked.pooled else Through()
        self.settings: dict[str, Any] = {
            "frozen": not asked.tune,
            "longest": asked.longest,
            "pooled": asked.pooled,
            "towers": {name: weights.card(name).identity for name in TOWERS[modality]},
        }

    def prepare(self, data: Sequence[Any]) -> Store:
        longest, cache = self.asked.longest, self.cache
        if self.modality == "image":
            found = sparse(data, lambda there: features.image_tokens(there, shipped(), cache))
        else:
            found = sparse(data, lambda there: features.text_tokens(there, shipped(), cache, max_pieces=longest))
        return Means.of(found) if self.asked.pooled else found


@dataclass(frozen=True)
class Means:
    """The mean token of each row that has any, float32 [rows, width]; the rest are absent."""

    values: np.ndarray
    there: np.ndarray

    @classmethod
    def of(cls, store: Sparse) -> Means:
        """From a store of all tokens, a few rows at a time."""
        parts = []
        for start in range(0, len(store.place), 256):
            tokens, mask = store.batch(np.arange(start, min(start + 256, len(store.place))))
            parts.append(Mean()(tokens, mask)[0][:, 0].numpy())
        values = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
        return cls(values, store.place >= 0)

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        index = np.asarray(rows)
        mask = torch.from_numpy((index >= 0) & self.there[index])[:, None]
        return torch.from_numpy(self.values[index])[:, None] * mask[..., None], mask


class Mean(nn.Module):
    """(B, N, D) and mask to one token (B, 1, D), the mean of the real ones; of a single token it is that token."""

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        real = mask[..., None].to(tokens.dtype)
        mean = (tokens * real).sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp(min=1)
        return mean, mask.any(1, keepdim=True)


class Upper(nn.Module):
    """MiniLM's upper `layers` on the third layer's states: (B, W, 768) to (B, W, 768: theirs beside the last layer's)."""

    def __init__(self, layers: int = LAYERS) -> None:
        super().__init__()
        from transformers import AutoModel

        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        tower = AutoModel.from_pretrained(str(minilm_folder()), attn_implementation="eager", **settings)
        self.layers = nn.ModuleList(tower.encoder.layer[len(tower.encoder.layer) - layers :])

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        states, last = tokens[..., :WIDTH], tokens[..., WIDTH:]
        hidden = (~mask[:, None, None]).to(states.dtype) * -1e4  # (B, 1, 1, W); a text without words looks at padding
        for layer in self.layers:
            found = layer(states, attention_mask=hidden)
            states = found[0] if isinstance(found, tuple) else found
        return torch.cat([states, last], dim=-1), mask
