"""Early fusion: the tokens of both sides in one sequence, read by transformer layers from the start.

As in MMBT (Kiela et al. 2019, "Supervised Multimodal Bitransformers", section 3): a segment embedding tells the sides
apart, a class token carries the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.fusion.cross_attention import CrossAttentionBlock
from models.fusion.sides import Side, SideSettings, State, both


@dataclass(frozen=True)
class EarlySettings(SideSettings):
    """`layers` of self-attention with `heads` each."""

    layers: int = 2
    heads: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers < 1 or self.width % self.heads:
            raise ValueError(f"layers={self.layers} must be positive, width={self.width} split into heads={self.heads}")


class EarlyFusion(nn.Module):
    """One sequence: class token, patches, word pieces."""

    def __init__(self, settings: EarlySettings) -> None:
        super().__init__()
        image_width, text_width = both(settings, "early")
        width = settings.width
        self.settings, self.fused_width = settings, width
        self.image = Side(image_width, width, settings.dropout)
        self.text = Side(text_width, width, settings.dropout)
        self.segments = nn.Parameter(torch.randn(2, width) * 0.02)
        self.answer = nn.Parameter(torch.randn(width) * 0.02)
        self.layers = nn.ModuleList(
            CrossAttentionBlock(width, settings.heads, settings.dropout) for _ in range(settings.layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        patches, image_mask = self.image(image, image_mask)
        pieces, text_mask = self.text(text, text_mask)
        start = self.answer.expand(patches.shape[0], 1, -1)  # `len` would fix the batch of an exported graph
        tokens = torch.cat(
            [start, patches + self.segments[0], pieces + self.segments[1]], dim=1
        )  # (B, 1 + P + W, width)
        mask = torch.cat([torch.ones_like(text_mask[:, :1]), image_mask, text_mask], dim=1)
        for layer in self.layers:
            tokens, _ = layer(tokens, tokens, mask)
        count = patches.shape[1]
        image_state = self.image.pool(tokens[:, 1 : 1 + count], image_mask)
        text_state = self.text.pool(tokens[:, 1 + count :], text_mask)
        return State(self.norm(tokens[:, 0]), image_state, text_state)
