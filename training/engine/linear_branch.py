"""The linear branch beside a network (Cheng et al. 2016, "Wide & Deep"): its logits are added to the network's."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.fusion.base import masked_mean


class LinearBranch(nn.Module):
    """A linear layer on the mean token of each modality; a modality that a row lacks adds nothing.

    `widths` are the token widths by modality ("image", "text"), as far as the branch reads them. All weights start at 0 and
    take no gradient: the branch is fitted in closed form.
    """

    def __init__(self, widths: Mapping[str, int], outputs: int) -> None:
        super().__init__()
        layers = {modality: nn.utils.skip_init(nn.Linear, width, outputs) for modality, width in widths.items()}
        self.layers: nn.ModuleDict = nn.ModuleDict(layers)
        self.bias = nn.Parameter(torch.zeros(outputs))  # added to every row
        for modality, layer in layers.items():
            # What a mean token is measured from: bfloat16 keeps more of a small difference.
            self.register_buffer(f"{modality}_center", torch.zeros(widths[modality]))
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.requires_grad_(False)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Tokens (B, N, width) and masks (B, N) of both modalities to logits (B, outputs)."""
        tokens = {"image": (image, image_mask), "text": (text, text_mask)}
        logits = self.bias
        for modality in self.layers:
            mean = masked_mean(*tokens[modality])  # (B, width)
            present = tokens[modality][1].any(1, keepdim=True)  # (B, 1)
            logits = logits + self.layers[modality](mean - self.get_buffer(f"{modality}_center")) * present
        return logits

    @torch.no_grad()
    def set_standardised(self, modality: str, weight: Tensor, mean: Tensor, scale: Tensor) -> None:
        """Sets one layer to `weight @ ((x - mean) / scale)`: weight [outputs, width], mean and scale [width]."""
        self.get_parameter(f"layers.{modality}.weight").copy_(weight / scale)
        self.get_buffer(f"{modality}_center").copy_(mean)
