"""Late fusion by concatenation: each side pooled on its own, then one layer over both (or over the only one)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.fusion.sides import Side, SideSettings, State


class Concatenation(nn.Module):
    """[picture; words] through a layer with ReLU and dropout."""

    def __init__(self, settings: SideSettings) -> None:
        super().__init__()
        self.settings = settings
        self.image = None if settings.image_width is None else self._side(settings.image_width)
        self.text = None if settings.text_width is None else self._side(settings.text_width)
        self.fused_width = settings.width
        self.layer = nn.Sequential(
            nn.Linear(settings.sides * settings.width, settings.width), nn.ReLU(), nn.Dropout(settings.dropout)
        )

    def _side(self, width_in: int) -> Side:
        return Side(width_in, self.settings.width, self.settings.dropout)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        image_state = None if self.image is None else self.image.pooled(image, image_mask)  # (B, width)
        text_state = None if self.text is None else self.text.pooled(text, text_mask)  # (B, width)
        states = [state for state in (image_state, text_state) if state is not None]
        return State(self.layer(torch.cat(states, dim=-1)), image_state, text_state)
