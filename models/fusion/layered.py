"""Fusions that end in transformer layers: over all tokens, or over each side's state."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.fusion.cross_attention import CrossAttentionBlock
from models.fusion.sides import Side, SideFusion, SideSettings, State, both


@dataclass(frozen=True)
class EarlySettings(SideSettings):
    """`layers` of self-attention with `heads` each."""

    layers: int = 2
    heads: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers < 1 or self.width % self.heads:
            raise ValueError(f"layers={self.layers} must be positive, width={self.width} split into heads={self.heads}")


class EarlyFusion(SideFusion):
    """Early fusion: class token, patches and word pieces in one sequence, read by transformer layers from the start.

    As in MMBT (Kiela et al. 2019, "Supervised Multimodal Bitransformers", section 3): a segment embedding tells the sides
    apart, a class token carries the answer.
    """

    image: Side
    text: Side

    def __init__(self, settings: EarlySettings) -> None:
        both(settings, "early")
        super().__init__(settings)
        width = settings.width
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
        sides = patches + self.segments[0], pieces + self.segments[1]
        tokens = torch.cat([start, *sides], dim=1)  # (B, 1 + P + W, width)
        mask = torch.cat([torch.ones_like(text_mask[:, :1]), image_mask, text_mask], dim=1)
        for layer in self.layers:
            tokens, _ = layer(tokens, tokens, mask)
        count = patches.shape[1]
        image_state = self.image.pool(tokens[:, 1 : 1 + count], image_mask)
        text_state = self.text.pool(tokens[:, 1 + count :], text_mask)
        return State(self.norm(tokens[:, 0]), image_state, text_state)


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


class Experts(SideFusion):
    """A mixture of experts over cross-attended sides, then a transformer over its output.

    The architecture of the mental-health memes: each side attends to the other (Lu et al. 2019), every expert reads the
    joint state and a gate weighs their outputs (Jacobs et al. 1991; Shazeer et al. 2017, without sparsity), and a
    transformer layer classifies from picture, words and mixture as three tokens. Each of these can be left out, for
    ablations; with one side alone there is nothing to cross.
    """

    def __init__(self, settings: ExpertSettings) -> None:
        super().__init__(settings)
        width, dropout = settings.width, settings.dropout
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
        if self.image is None or self.text is None or self.image_to_text is None or self.text_to_image is None:
            return self.pooled(image, image_mask, text, text_mask)
        patches, image_mask = self.image(image, image_mask)
        pieces, text_mask = self.text(text, text_mask)
        attended_patches, _ = self.image_to_text(patches, pieces, text_mask)
        attended_pieces, _ = self.text_to_image(pieces, patches, image_mask)
        return self.image.pool(attended_patches, image_mask), self.text.pool(attended_pieces, text_mask)
