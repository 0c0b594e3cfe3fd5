"""Co-attention over tokens: words attend to patches, patches to words (Lu et al. 2016; Lu et al. 2019, ViLBERT, section 3.1).

A torch module that training fits; the profiles run its ONNX export.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class CrossAttentionSettings:
    """Widths of the two sides' tokens and of the fusion, and its dropout."""

    image_width: int = 1280
    text_width: int = 768
    width: int = 192
    heads: int = 6
    outputs: int = 2
    dropout: float = 0.3
    head_dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width={self.width} does not split into heads={self.heads}")
        if not (0 <= self.dropout < 1 and 0 <= self.head_dropout < 1):
            raise ValueError(f"dropout={self.dropout} and head_dropout={self.head_dropout} must lie in [0, 1)")


class CrossAttentionBlock(nn.Module):
    """One side attends to the other: pre-norm multi-head attention and a feed-forward layer, each with a residual."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_other, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, side: Tensor, other: Tensor, other_mask: Tensor) -> tuple[Tensor, Tensor]:
        """side (B, N, D), other (B, M, D) and its mask (B, M) to the new side (B, N, D) and the attention (B, H, N, M)."""
        query = self._split(self.query(self.norm(side)))  # (B, H, N, d)
        other = self.norm_other(other)
        key, value = self._split(self.key(other)), self._split(self.value(other))  # (B, H, M, d)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # (B, H, N, M)
        attention = scores.masked_fill(~other_mask[:, None, None], -1e4).softmax(dim=-1)
        attended = (attention @ value).transpose(1, 2).flatten(2)  # (B, N, width)
        side = side + self.dropout(self.out(attended))
        return side + self.dropout(self.feed(self.norm_feed(side))), attention

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AttentionPool(nn.Module):
    """Attention pooling: one learned query to all tokens of a side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, 1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, N, D) and mask (B, N) to (B, D)."""
        weights = self.query(tokens)[..., 0].masked_fill(~mask, -1e4).softmax(dim=-1)  # (B, N)
        return (weights[..., None] * tokens).sum(1)  # (B, width)


class CrossAttention(nn.Module):
    """Tokens of both sides to `outputs` logits, one two-layer head each; a side without tokens is a learned state."""

    def __init__(self, settings: CrossAttentionSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.image_in, self.text_in = nn.Linear(settings.image_width, width), nn.Linear(settings.text_width, width)
        self.image_norm, self.text_norm = nn.LayerNorm(settings.image_width), nn.LayerNorm(settings.text_width)
        self.position = nn.Parameter(torch.randn(49, width) * 0.02)  # of a patch on the 7x7 grid
        self.no_image, self.no_text = nn.Parameter(torch.randn(width) * 0.02), nn.Parameter(torch.randn(width) * 0.02)
        self.dropout = nn.Dropout(settings.dropout)
        self.text_to_image = CrossAttentionBlock(width, settings.heads, settings.dropout)
        self.image_to_text = CrossAttentionBlock(width, settings.heads, settings.dropout)
        self.text_pool, self.image_pool = AttentionPool(width), AttentionPool(width)
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(3 * width),
                nn.Linear(3 * width, width),
                nn.ReLU(),
                nn.Dropout(settings.head_dropout),
                nn.Linear(width, 1),
            )
            for _ in range(settings.outputs)
        )

    def forward(
        self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """image (B, P, image_width), text (B, W, text_width), masks bool; a row whose mask is all False is absent.

        Returns logits (B, outputs), words to regions (B, H, W, P), regions to words (B, H, P, W).
        """
        state, words_to_regions, regions_to_words = self.fuse(image, image_mask, text, text_mask)
        return torch.cat([head(state) for head in self.heads], dim=-1), words_to_regions, regions_to_words

    def fuse(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, with the heads' input (B, 3 width) instead of the logits: words, picture, their product."""
        regions = self.image_in(self.image_norm(image))  # (B, P, width)
        regions = regions + self.position[: regions.shape[1]]
        words = self.text_in(self.text_norm(text))  # (B, W, width)
        regions, image_mask = replace_missing_with_learned_token(self.dropout(regions), image_mask, self.no_image)
        words, text_mask = replace_missing_with_learned_token(self.dropout(words), text_mask, self.no_text)
        attended_words, words_to_regions = self.text_to_image(words, regions, image_mask)
        attended_regions, regions_to_words = self.image_to_text(regions, words, text_mask)
        text_state = self.text_pool(attended_words, text_mask)  # (B, width)
        image_state = self.image_pool(attended_regions, image_mask)  # (B, width)
        state = torch.cat([text_state, image_state, text_state * image_state], dim=-1)  # (B, 3 width)
        return state, words_to_regions, regions_to_words


def replace_missing_with_learned_token(tokens: Tensor, mask: Tensor, learned: Tensor) -> tuple[Tensor, Tensor]:
    """The first token of a row without a real token becomes `learned`; tokens (B, N, D) and mask (B, N) are returned."""
    absent = ~mask.any(dim=1, keepdim=True)  # (B, 1)
    first = torch.arange(mask.shape[1], device=mask.device)[None] == 0  # (1, N)
    replaced = absent & first  # (B, N)
    return torch.where(replaced[..., None], learned.to(tokens.dtype), tokens), mask | replaced
