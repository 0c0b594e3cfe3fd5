"""Late fusions: each side is pooled on its own before the two meet."""

import torch
from torch import Tensor, nn

from models.fusion.sides import Side, SideFusion, SideSettings, State, both


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
