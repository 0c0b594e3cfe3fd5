"""`minilm`: all-MiniLM-L6-v2 as its authors left it; with `tune`, its upper layers are trained along.

The shared tower of `mini` was fine-tuned to find hate, and has forgotten much of what a text is about. A system that asks
for topics brings this tower along, in front of its network: word pieces go in, and it shares the embeddings with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache as once
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import weights
from models.errors import BadInput
from models.tokenizers.wordpieces import Vocabulary
from training.backbones.base import Asked, Store, Through
from training.backbones.mini import LAYERS, Mean, Means, Upper, sparse
from training.backbones.sentences import WIDTH, minilm_folder
from training.features import tokens

AT_ONCE = 32
VERSION = b"states in bfloat16, 1"  # names the cache together with the vocabulary and the texts


@once
def tower() -> nn.Module:
    """One for all systems that are fitted in this process; frozen."""
    from transformers import AutoModel

    found = AutoModel.from_pretrained(str(minilm_folder()), add_pooling_layer=False, attn_implementation="eager")
    return found.eval().requires_grad_(False)  # type: ignore[no-any-return]


class States(nn.Module):
    """Embedded word pieces (B, W, 384) to (B, W, 768): the state below the upper `layers` beside the last layer's."""

    def __init__(self, layers: int = LAYERS) -> None:
        super().__init__()
        self.tower = tower()
        self.below = len(self.tower.encoder.layer) - layers  # type: ignore[union-attr,arg-type]

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        found = self.tower(inputs_embeds=embedded, attention_mask=mask.long(), output_hidden_states=True)
        return torch.cat([found.hidden_states[self.below], found.last_hidden_state], dim=-1), mask


class MiniLM:
    """`pieces` are what its graph reads: `front` makes tokens of them, `module` reads those."""

    spec, reads, width = "minilm", "pieces", 2 * WIDTH

    def __init__(self, modality: str, asked: Asked, cache: Path) -> None:
        if asked.pooled and asked.tune:
            raise BadInput("What is trained further reads all tokens: leave out `pooled` or `tune`.")
        self.asked, self.cache = asked, cache
        self.module: nn.Module = Upper(**asked.options) if asked.tune else Mean() if asked.pooled else Through()
        self.front = States(**asked.options)
        self.vocabulary = Vocabulary(max_length=asked.longest)
        self.settings: dict[str, Any] = {
            "frozen": not asked.tune,
            "longest": asked.longest,
            "pooled": asked.pooled,
            "towers": {"mini_vocabulary": weights.card("mini_vocabulary").identity},
        }

    def prepare(self, data: Sequence[Any]) -> Store:
        found = sparse(data, self._states)
        return Means.of(found) if self.asked.pooled else found

    def _states(self, texts: Sequence[str]) -> tokens.TextTokens:
        """Computed once, or taken from the cache."""
        identity = f"{self.vocabulary.card.identity} {self.asked.longest} {self.front.below} {VERSION!r}"
        return tokens.cached_text_tokens(texts, self._compute, identity, self.cache)

    @torch.inference_mode()
    def _compute(self, texts: Sequence[str]) -> list[np.ndarray]:
        pieces = self.vocabulary.look_up(texts)
        with torch.autocast("cpu", torch.bfloat16):
            states, _ = self.front(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask))
        found = states.float().numpy().astype(np.float16)
        return [row[:length] for row, length in zip(found, pieces.mask.sum(1), strict=True)]
