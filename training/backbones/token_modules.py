"""Modules that stand after prepared tokens: nothing, their mean, or upper layers of MiniLM that are finetuned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.errors import BadInput
from models.fusion.base import masked_mean
from training.backbones.base import BackboneSpec
from training.backbones.sentences import WIDTH, minilm_folder

UPPER_LAYERS = 3  # those above the state that `mini_words` gives first


class PassThrough(nn.Module):
    """What is left of a frozen tower: its tokens are prepared."""

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return tokens, mask


class MeanToken(nn.Module):
    """(B, N, D) and mask to one token (B, 1, D), the mean of the real ones; of a single token it is that token."""

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return masked_mean(tokens, mask)[:, None], mask.any(1, keepdim=True)


class UpperLayers(nn.Module):
    """MiniLM's upper `layers` on the state below them: (B, W, 768: that state and the last layer's) to the same shape."""

    def __init__(self, layers: int = UPPER_LAYERS) -> None:
        super().__init__()
        from transformers import AutoModel

        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        tower = AutoModel.from_pretrained(str(minilm_folder()), attn_implementation="eager", **settings)
        self.layers = nn.ModuleList(tower.encoder.layer[len(tower.encoder.layer) - layers :])

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        states, last = tokens[..., :WIDTH], tokens[..., WIDTH:]
        bias = (~mask[:, None, None]).to(states.dtype) * -1e4  # (B, 1, 1, W); a text without words attends to padding
        for layer in self.layers:
            output = layer(states, attention_mask=bias)
            states = output[0] if isinstance(output, tuple) else output
        return torch.cat([states, last], dim=-1), mask


def token_module(spec: BackboneSpec) -> nn.Module:
    """The module for a spec of `mini` or `minilm`; `BadInput` where it asks for pooled tokens and for finetuning."""
    if spec.pooled and spec.finetune:
        raise BadInput("What is trained further reads all tokens: leave out `pooled` or `tune`.")
    if spec.finetune:
        return UpperLayers(**spec.options)
    return MeanToken() if spec.pooled else PassThrough()
