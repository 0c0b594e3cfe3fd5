"""`mini`: the shipped towers, run once over all rows; when finetuned, the text's upper layers are trained along.

`mini_words` gives the third layer's states beside the last one's. A finetuned model takes the third layer's and reads them
with all-MiniLM-L6-v2's own upper three layers, which it trains: half of a tower, on top of one that is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from models import weights
from models.encoders.mini import MiniEncoder
from models.errors import BadInput
from training.backbones.base import Backbone, BackboneSpec, Modality, TokenStore
from training.backbones.stores import PooledStore, prepare_present
from training.backbones.token_modules import token_module
from training.features.tokens import image_tokens, text_tokens

TOWERS = {"image": ("mini_picture",), "text": ("mini_words", "mini_vocabulary")}


@cache
def shipped() -> MiniEncoder:
    """One encoder for all models that are trained in this process."""
    return MiniEncoder()


class Mini(Backbone):
    """49 patches of width 1280, or word pieces of width 768, cached in `cache`."""

    input_kind = "mini"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(spec)
        if spec.finetune and modality == "image":
            raise BadInput(
                "The picture tower of mini is not trained further: leave out `tune` in its part of the recipe."
            )
        self.modality, self.cache = modality, cache
        self.width = MiniEncoder.image_width if modality == "image" else MiniEncoder.text_width
        self.module = token_module(spec)
        self.card = {
            "frozen": not spec.finetune,
            "longest": spec.max_length,
            "pooled": spec.pooled,
            "towers": {name: weights.card(name).identity for name in TOWERS[modality]},
        }

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """Tokens of all rows, or their means where they are pooled."""

        def build(items: Sequence[Any]) -> TokenStore:
            if self.modality == "image":
                return image_tokens(items, shipped(), self.cache)
            return text_tokens(items, shipped(), self.cache, max_pieces=self.spec.max_length)

        store = prepare_present(data, build)
        return PooledStore.of(store) if self.spec.pooled else store
