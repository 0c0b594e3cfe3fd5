"""Gated multimodal unit (Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion", section 3.1).

A gate decides for every dimension how much of the picture and how much of the words goes through.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.fusion.sides import Side, SideSettings, State, both


class GatedUnit(nn.Module):
    """h = z * tanh(W_v v) + (1 - z) * tanh(W_t t), z = sigmoid(W_z [v; t])."""

    def __init__(self, settings: SideSettings) -> None:
        super().__init__()
        image_width, text_width = both(settings, "gated")
        width = settings.width
        self.settings, self.fused_width = settings, width
        self.image = Side(image_width, width, settings.dropout)
        self.text = Side(text_width, width, settings.dropout)
        self.from_image, self.from_text = nn.Linear(width, width), nn.Linear(width, width)
        self.gate = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        image_state, text_state = self.image.pooled(image, image_mask), self.text.pooled(text, text_mask)  # (B, width)
        gate = torch.sigmoid(self.gate(torch.cat([image_state, text_state], dim=-1)))  # (B, width)
        fused = gate * torch.tanh(self.from_image(image_state)) + (1 - gate) * torch.tanh(self.from_text(text_state))
        return State(self.dropout(fused), image_state, text_state)
