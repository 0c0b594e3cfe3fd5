"""`mini`: the shipped towers, which run once over all rows; when finetuned, the text's upper layers are trained along.

`mini_words` gives its fourth layer's states beside the last one's. A finetuned model takes the fourth layer's and reads them
with multilingual-e5-small's own upper eight layers, which it trains: two thirds of a tower, on top of one that is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import weights
from models.encoders.mini import MiniEncoder
from models.errors import BadInput
from models.fusion.base import masked_mean
from training.backbones import e5
from training.backbones.base import Backbone, BackboneSpec, Modality, PartialStore, PooledStore, TokenStore
from training.backbones.e5 import WIDTH
from training.features.tokens import image_tokens, text_tokens

TOWERS = {"image": ("mini_picture",), "text": ("mini_words", "mini_vocabulary")}


@cache
def shipped() -> MiniEncoder:
    """One encoder for all models that are trained in this process."""
    return MiniEncoder()


class PreparedTower(Backbone):
    """A frozen tower whose tokens are prepared; `module` passes them on, pools them, or is the finetuned upper layers."""

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path, towers: Sequence[str]) -> None:
        super().__init__(modality, spec, cache)
        if spec.pooled and spec.finetune:
            raise BadInput("A finetuned tower reads all tokens: leave out `pooled` or `finetune`.")
        self.module = self.upper_layers() if spec.finetune else MeanToken() if spec.pooled else PassThrough()
        self.card = {
            "frozen": not spec.finetune,
            "longest": spec.max_length,
            "pooled": spec.pooled,
            "towers": {name: weights.card(name).identity for name in towers},
        }

    def upper_layers(self) -> nn.Module:
        """The layers that a finetuned tower trains."""
        raise BadInput(f"{self.spec.encoder} cannot be finetuned here: leave out `finetune`.")

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """Tokens of all rows, or their means where they are pooled."""
        store = PartialStore.of(data, self.store)
        return PooledStore.of(store) if self.spec.pooled else store


class Mini(PreparedTower):
    """49 patches of width 1280, or word pieces of width 768, cached in `cache`."""

    input_kind = "mini"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        if spec.finetune and modality == "image":
            raise BadInput("The picture tower of mini cannot be finetuned: leave out `finetune` in [image].")
        super().__init__(modality, spec, cache, TOWERS[modality])
        self.width = MiniEncoder.image_width if modality == "image" else MiniEncoder.text_width

    def store(self, items: Sequence[Any]) -> TokenStore:
        """Tokens of pictures or texts."""
        if self.modality == "image":
            return image_tokens(items, shipped(), self.cache)
        return text_tokens(items, shipped(), self.cache, max_pieces=self.spec.max_length)

    def upper_layers(self) -> nn.Module:
        """Those of E5 above the state that `mini_words` gives first."""
        return UpperLayers(list(e5.tower().encoder.layer)[e5.LOWER_LAYERS :])


class PassThrough(nn.Module):
    """What is left of a frozen tower: its tokens are prepared."""

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and mask as they are."""
        return tokens, mask


class MeanToken(nn.Module):
    """The mean of the real tokens; of a single token it is that token."""

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, D) and their mask (B, N) to the mean token (B, 1, D) and its mask (B, 1)."""
        return masked_mean(tokens, mask)[:, None], mask.any(1, keepdim=True)


class UpperLayers(nn.Module):
    """A tower's upper layers, applied to the state below them; the last layer's state, which comes beside it, is left."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States (B, W, 768) and their mask to states of the same shape and the mask."""
        states, last = tokens[..., :WIDTH], tokens[..., WIDTH:]
        bias = (~mask[:, None, None]).to(states.dtype) * -1e4  # (B, 1, 1, W); a text without words attends to padding
        for layer in self.layers:
            output = layer(states, attention_mask=bias)
            states = output[0] if isinstance(output, tuple) else output
        return torch.cat([states, last], dim=-1), mask
