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
        seen, read = self.image.pooled(image, image_mask), self.text.pooled(text, text_mask)  # (B, width) each
        share = torch.sigmoid(self.gate(torch.cat([seen, read], dim=-1)))  # (B, width)
        fused = share * torch.tanh(self.from_image(seen)) + (1 - share) * torch.tanh(self.from_text(read))
        return State(self.dropout(fused), seen, read)
