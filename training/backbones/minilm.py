"""`minilm`: all-MiniLM-L6-v2 as its authors left it; when finetuned, its upper layers are trained along.

The shared tower of `mini` was finetuned to find hate, and has forgotten much of what a text is about. A model that
classifies topics brings this tower along, in front of its network: it reads word pieces, and shares their embeddings with
all other models.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import weights
from models.tokenizers.wordpieces import Vocabulary
from training.backbones.base import Backbone, BackboneSpec, Modality, TokenStore
from training.backbones.sentences import WIDTH, minilm_folder
from training.backbones.stores import PooledStore, prepare_present
from training.backbones.token_modules import UPPER_LAYERS, token_module
from training.features.tokens import TextTokens, cached_text_tokens

VERSION = b"states in bfloat16, 1"  # names the cache together with the vocabulary and the texts


@cache
def tower() -> nn.Module:
    """One frozen tower for all models that are trained in this process."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(minilm_folder()), add_pooling_layer=False, attn_implementation="eager")
    return model.eval().requires_grad_(False)  # type: ignore[no-any-return]


class HiddenStates(nn.Module):
    """Embedded word pieces (B, W, 384) to (B, W, 768): the state below the upper `layers` beside the last layer's."""

    def __init__(self, layers: int = UPPER_LAYERS) -> None:
        super().__init__()
        self.tower = tower()
        self.lower_layers = len(self.tower.encoder.layer) - layers  # type: ignore[union-attr,arg-type]

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        output = self.tower(inputs_embeds=embedded, attention_mask=mask.long(), output_hidden_states=True)
        return torch.cat([output.hidden_states[self.lower_layers], output.last_hidden_state], dim=-1), mask


class MiniLM(Backbone):
    """Its graph reads word pieces: `front` makes tokens of them, `module` reads those."""

    input_kind, width = "pieces", 2 * WIDTH

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(spec)
        self.cache = cache
        self.module = token_module(spec)
        self.front: HiddenStates = HiddenStates(**spec.options)
        self.vocabulary = Vocabulary(max_length=spec.max_length)
        self.card = {
            "frozen": not spec.finetune,
            "longest": spec.max_length,
            "pooled": spec.pooled,
            "towers": {"mini_vocabulary": weights.card("mini_vocabulary").identity},
        }

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """Hidden states of all rows, or their means where they are pooled; computed once, then cached."""
        identity = f"{self.vocabulary.card.identity} {self.spec.max_length} {self.front.lower_layers} {VERSION!r}"

        def build(texts: Sequence[str]) -> TextTokens:
            return cached_text_tokens(texts, self._compute, identity, self.cache)

        store = prepare_present(data, build)
        return PooledStore.of(store) if self.spec.pooled else store

    @torch.inference_mode()
    def _compute(self, texts: Sequence[str]) -> list[np.ndarray]:
        pieces = self.vocabulary.look_up(texts)
        with torch.autocast("cpu", torch.bfloat16):
            states, _ = self.front(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask))
        rows = states.float().numpy().astype(np.float16)
        return [row[:length] for row, length in zip(rows, pieces.mask.sum(1), strict=True)]
