"""A mixture of experts over cross-attended sides, then a transformer over its output.

The architecture of the mental-health memes: each side attends to the other (Lu et al. 2019), every expert reads the
joint state and a gate weighs their outputs (Jacobs et al. 1991; Shazeer et al. 2017, without sparsity), and a transformer
layer classifies from picture, words and mixture as three tokens. Each of these can be left out, for ablations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.fusion.cross_attention import CrossAttentionBlock
from models.fusion.sides import Side, SideSettings, State


@dataclass(frozen=True)
class ExpertSettings(SideSettings):
    """`experts` 0: one plain layer in their place; `cross_attention` False: each side is pooled on its own."""

    heads: int = 4
    experts: int = 4
    cross_attention: bool = True
    layers: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads or self.experts < 0 or self.layers < 0:
            raise ValueError(
                f"width={self.width} must split into heads={self.heads}; experts={self.experts} and "
                f"layers={self.layers} must not be negative"
            )


class Experts(nn.Module):
    """Cross-attention, mixture, transformer; with one side alone there is nothing to cross."""

    def __init__(self, settings: ExpertSettings) -> None:
        super().__init__()
        self.settings, width, dropout = settings, settings.width, settings.dropout
        self.image = None if settings.image_width is None else Side(settings.image_width, width, dropout)
        self.text = None if settings.text_width is None else Side(settings.text_width, width, dropout)
        crossed = settings.cross_attention and settings.sides == 2
        self.image_to_text = CrossAttentionBlock(width, settings.heads, dropout) if crossed else None
        self.text_to_image = CrossAttentionBlock(width, settings.heads, dropout) if crossed else None
        joint = settings.sides * width
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(joint, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))
            for _ in range(max(1, settings.experts))
        )
        self.gate = nn.Linear(joint, settings.experts) if settings.experts > 1 else None
        self.layers = nn.ModuleList(CrossAttentionBlock(width, settings.heads, dropout) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width)
        self.fused_width = width

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        image_state, text_state = self._sides(image, image_mask, text, text_mask)
        states = [state for state in (image_state, text_state) if state is not None]
        joint = torch.cat(states, dim=-1)  # (B, sides * width)
        outputs = torch.stack([expert(joint) for expert in self.experts], dim=1)  # (B, experts, width)
        gates = None if self.gate is None else self.gate(joint).softmax(dim=-1)  # (B, experts)
        mixed = outputs[:, 0] if gates is None else (gates[..., None] * outputs).sum(1)  # (B, width)
        tokens = torch.stack([mixed, *states], dim=1)  # (B, 1 + sides, width)
        mask = torch.ones_like(tokens[..., 0], dtype=torch.bool)
        for layer in self.layers:
            tokens, _ = layer(tokens, tokens, mask)
        return State(self.norm(tokens[:, 0]), image_state, text_state, gates)

    def _sides(
        self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        """Each side (B, width), after its cross-attention if there is one."""
        if self.image is None or self.text is None:
            image_state = None if self.image is None else self.image.pooled(image, image_mask)
            return image_state, None if self.text is None else self.text.pooled(text, text_mask)
        patches, image_mask = self.image(image, image_mask)
        pieces, text_mask = self.text(text, text_mask)
        attended_patches, attended_pieces = patches, pieces
        if self.image_to_text is not None and self.text_to_image is not None:
            attended_patches, _ = self.image_to_text(patches, pieces, text_mask)
            attended_pieces, _ = self.text_to_image(pieces, patches, image_mask)
        return self.image.pool(attended_patches, image_mask), self.text.pool(attended_pieces, text_mask)
