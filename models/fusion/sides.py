"""What the fusions share: the projection of a side, a learned token where it is absent, and their output; and the late
fusions, in which each side is pooled on its own before the two meet."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.fusion.cross_attention import AttentionPool, replace_missing_with_learned_token


class State(NamedTuple):
    """fused (B, fused_width) goes to the heads; image and text (B, width) are each side alone, None where the fusion
    has only the other; gates (B, experts) are the weights of a mixture's experts."""

    fused: Tensor
    image: Tensor | None = None
    text: Tensor | None = None
    gates: Tensor | None = None


@dataclass(frozen=True)
class SideSettings:
    """Widths of the input tokens (None: the fusion has no such side) and of the fusion, and its dropout."""

    image_width: int | None = 1280
    text_width: int | None = 768
    width: int = 128
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.image_width is None and self.text_width is None:
            raise ValueError("a fusion needs a picture side, a text side or both")
        if self.width < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"width={self.width} must be positive and dropout={self.dropout} in [0, 1)")

    @property
    def sides(self) -> int:
        """How many sides the fusion reads: 1 or 2."""
        return (self.image_width is not None) + (self.text_width is not None)


class Side(nn.Module):
    """Projects one side's tokens to the fusion's width; `pooled` also pools them by attention."""

    def __init__(self, width_in: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.into = nn.LayerNorm(width_in), nn.Linear(width_in, width)
        self.absent = nn.Parameter(nn.init.normal_(self.into.weight.new_empty(width), std=0.02))
        self.dropout, self.pool = nn.Dropout(dropout), AttentionPool(width)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, width_in) and mask (B, N) to (B, N, width) and a mask in which no row is empty."""
        return replace_missing_with_learned_token(self.dropout(self.into(self.norm(tokens))), mask, self.absent)

    def pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, N, width_in) and mask (B, N) to (B, width)."""
        pooled: Tensor = self.pool(*self(tokens, mask))
        return pooled


class SideFusion(nn.Module):
    """A fusion of projected sides: `forward(image, image_mask, text, text_mask) -> State`. Heads come after it.

    Tokens are float (B, N, width), masks bool (B, N), True = a real token; a row whose mask is all False lacks that side.
    """

    image: Side | None
    text: Side | None

    def __init__(self, settings: SideSettings) -> None:
        super().__init__()
        self.settings, self.fused_width = settings, settings.width
        width, dropout = settings.width, settings.dropout
        self.image = None if settings.image_width is None else Side(settings.image_width, width, dropout)
        self.text = None if settings.text_width is None else Side(settings.text_width, width, dropout)

    def pooled(
        self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        """Each side on its own (B, width); None where the fusion has no such side."""
        image_state = None if self.image is None else self.image.pooled(image, image_mask)
        return image_state, None if self.text is None else self.text.pooled(text, text_mask)


def both(settings: SideSettings, fusion: str) -> tuple[int, int]:
    """The widths of picture and text tokens; `ValueError` where a fusion that needs both has one."""
    if settings.image_width is None or settings.text_width is None:
        raise ValueError(f"{fusion} needs a picture side and a text side: use concatenation or experts for one alone")
    return settings.image_width, settings.text_width


class Concatenation(SideFusion):
    """[picture; words], or the only one of them, through a layer with ReLU and dropout."""

    def __init__(self, settings: SideSettings) -> None:
        super().__init__(settings)
        self.layer = nn.Sequential(
            nn.Linear(settings.sides * settings.width, settings.width), nn.ReLU(), nn.Dropout(settings.dropout)
        )

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        states = self.pooled(image, image_mask, text, text_mask)
        return State(self.layer(torch.cat([state for state in states if state is not None], dim=-1)), *states)


class GatedUnit(SideFusion):
    """Gated multimodal unit (Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion", section 3.1).

    A gate decides for every dimension how much of the picture and how much of the words goes through:
    h = z * tanh(W_v v) + (1 - z) * tanh(W_t t), z = sigmoid(W_z [v; t]).
    """

    image: Side
    text: Side

    def __init__(self, settings: SideSettings) -> None:
        both(settings, "gated")
        super().__init__(settings)
        width = settings.width
        self.from_image, self.from_text = nn.Linear(width, width), nn.Linear(width, width)
        self.gate = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        image_state, text_state = self.image.pooled(image, image_mask), self.text.pooled(text, text_mask)  # (B, width)
        gate = torch.sigmoid(self.gate(torch.cat([image_state, text_state], dim=-1)))  # (B, width)
        fused = gate * torch.tanh(self.from_image(image_state)) + (1 - gate) * torch.tanh(self.from_text(text_state))
        return State(self.dropout(fused), image_state, text_state)
