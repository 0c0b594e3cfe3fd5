"""`mini` and `minilm`: towers that run once over all rows; when finetuned, the text's upper layers are trained along.

`mini` has the shipped towers. `mini_words` gives the third layer's states beside the last one's. A finetuned model takes the
third layer's and reads them with all-MiniLM-L6-v2's own upper three layers, which it trains: half of a tower, on top of one
that is shared.

`minilm` is all-MiniLM-L6-v2 as its authors left it. The shared tower of `mini` was finetuned to find hate, and has forgotten
much of what a text is about. A model that classifies topics brings this tower along, in front of its network: it reads word
pieces, and shares their embeddings with all other models.
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
from models.encoders.mini import MiniEncoder
from models.errors import BadInput
from models.fusion.base import masked_mean
from models.tokenizers.wordpieces import Vocabulary
from training.backbones.base import Backbone, BackboneSpec, Modality, PartialStore, PooledStore, TokenStore
from training.backbones.sentences import WIDTH, minilm_folder
from training.features.tokens import TextTokens, cached_text_tokens, image_tokens, text_tokens

TOWERS = {"image": ("mini_picture",), "text": ("mini_words", "mini_vocabulary")}
UPPER_LAYERS = 3  # those above the state that `mini_words` gives first
VERSION = b"states in bfloat16, 1"  # names the cache together with the vocabulary and the texts


@cache
def shipped() -> MiniEncoder:
    """One encoder for all models that are trained in this process."""
    return MiniEncoder()


@cache
def minilm_tower() -> nn.Module:
    """One frozen all-MiniLM-L6-v2 for all models that are trained in this process."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(minilm_folder()), add_pooling_layer=False, attn_implementation="eager")
    return model.eval().requires_grad_(False)  # type: ignore[no-any-return]


class PreparedTower(Backbone):
    """A frozen tower whose tokens are prepared; `module` passes them on, pools them, or is the finetuned upper layers."""

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path, towers: Sequence[str]) -> None:
        super().__init__(modality, spec, cache)
        if spec.pooled and spec.finetune:
            raise BadInput("A finetuned tower reads all tokens: leave out `pooled` or `finetune`.")
        self.module = UpperLayers(**spec.options) if spec.finetune else MeanToken() if spec.pooled else PassThrough()
        self.card = {
            "frozen": not spec.finetune,
            "longest": spec.max_length,
            "pooled": spec.pooled,
            "towers": {name: weights.card(name).identity for name in towers},
        }

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


class MiniLM(PreparedTower):
    """Its graph reads word pieces: `front` makes tokens of them, `module` reads those."""

    input_kind, width = "pieces", 2 * WIDTH

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(modality, spec, cache, ["mini_vocabulary"])
        self.front: HiddenStates = HiddenStates(**spec.options)
        self.vocabulary = Vocabulary(max_length=spec.max_length)

    def store(self, items: Sequence[str]) -> TextTokens:
        """Hidden states of texts, computed once, then cached."""
        identity = f"{self.vocabulary.card.identity} {self.spec.max_length} {self.front.lower_layers} {VERSION!r}"
        return cached_text_tokens(items, self._compute, identity, self.cache)

    @torch.inference_mode()
    def _compute(self, texts: Sequence[str]) -> list[np.ndarray]:
        pieces = self.vocabulary.look_up(texts)
        with torch.autocast("cpu", torch.bfloat16):
            states, _ = self.front(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask))
        rows = states.float().numpy().astype(np.float16)
        return [row[:length] for row, length in zip(rows, pieces.mask.sum(1), strict=True)]


class HiddenStates(nn.Module):
    """The state below the upper `layers` beside the last layer's."""

    def __init__(self, layers: int = UPPER_LAYERS) -> None:
        super().__init__()
        self.tower = minilm_tower()
        self.lower_layers = len(self.tower.encoder.layer) - layers  # type: ignore[union-attr,arg-type]

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded word pieces (B, W, 384) and their mask to states (B, W, 768) and the mask."""
        output = self.tower(inputs_embeds=embedded, attention_mask=mask.long(), output_hidden_states=True)
        return torch.cat([output.hidden_states[self.lower_layers], output.last_hidden_state], dim=-1), mask


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
    """MiniLM's upper `layers`, applied to the state below them; the last layer's state, which comes beside it, is kept."""

    def __init__(self, layers: int = UPPER_LAYERS) -> None:
        super().__init__()
        from transformers import AutoModel

        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        tower = AutoModel.from_pretrained(str(minilm_folder()), attn_implementation="eager", **settings)
        self.layers = nn.ModuleList(tower.encoder.layer[len(tower.encoder.layer) - layers :])

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States (B, W, 768) and their mask to states of the same shape and the mask."""
        states, last = tokens[..., :WIDTH], tokens[..., WIDTH:]
        bias = (~mask[:, None, None]).to(states.dtype) * -1e4  # (B, 1, 1, W); a text without words attends to padding
        for layer in self.layers:
            output = layer(states, attention_mask=bias)
            states = output[0] if isinstance(output, tuple) else output
        return torch.cat([states, last], dim=-1), mask
