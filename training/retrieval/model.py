"""Two towers into one space of 512: EfficientNet-Lite0 and MiniLM-L6, each with a linear projection.

Images: the network stays as ImageNet taught it, but sees 320 pixels, where it recognises small things. Features of three
of its stages are computed once for all epochs, and a linear layer on them is trained. Text: the mean token after the
embeddings and after every second layer of MiniLM, side by side, so that the words of a caption count beside its sense. The
embeddings are those of `minilm_vocabulary`, the lower half stays as it was, the upper half is trained. The loss is InfoNCE in
both directions with a learned temperature (van den Oord et al. 2018; Radford et al. 2021) and weighted hard negatives
(Robinson et al. 2021).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoModel

from models.encoders.base import JOINT
from models.fusion.base import masked_mean
from training.backbones.e5 import WIDTH
from training.backbones.minilm import minilm_folder

IMAGE_SIZE = 320  # pixels
CHANNELS = (112, 320, 1280)  # of the fifth and the seventh stage and of the head of EfficientNet-Lite0
STAGES_WIDTH = sum(CHANNELS)
FROZEN_LAYERS = 3  # of MiniLM's six
POOLED_LAYERS = (0, 2, 4, 6)  # after which layers the mean token is read; 0 is the embeddings
TEXT_WIDTH = len(POOLED_LAYERS) * WIDTH
FROZEN_WIDTH = sum(layer <= FROZEN_LAYERS for layer in POOLED_LAYERS) * WIDTH
MAX_SCALE = 100.0  # of the inverse temperature, as in CLIP


class Stages(nn.Module):
    """The frozen network, read after three of its stages."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        blocks = list(network.blocks)
        self.low = nn.Sequential(network.conv_stem, network.bn1, *blocks[:5])
        self.middle = nn.Sequential(*blocks[5:])
        self.head = nn.Sequential(network.conv_head, network.bn2)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) to the means of the three stages over the picture, side by side (B, 1712)."""
        low = self.low(pixels)
        middle = self.middle(low)
        return torch.cat([stage.mean((2, 3)) for stage in (low, middle, self.head(middle))], dim=1)


class Standardizer(nn.Module):
    """Brings features to mean 0 and standard deviation 1 over the training rows."""

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def fit(self, features: Tensor, min_std: float = 1e-4) -> None:
        """Takes mean and standard deviation from the training rows (N, width); a nearly constant feature has `min_std`."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0, correction=0).clamp(min=min_std))

    def forward(self, features: Tensor) -> Tensor:
        """(B, width) to (B, width)."""
        return (features - self.mean) / self.std


class ContrastiveModel(nn.Module):
    """A model with the learned temperature of InfoNCE."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def scale(self) -> Tensor:
        """The inverse temperature, by which cosines are multiplied."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)


class Projection(nn.Module):
    """A linear layer on standardised features, into the joint space."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.standardize = Standardizer(width)
        self.dropout, self.layer = nn.Dropout(dropout), nn.Linear(width, JOINT)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width) to unit vectors (B, 512)."""
        return normalize(self.layer(self.dropout(self.standardize(features.float()))).float(), dim=-1)


class TextTower(nn.Module):
    """MiniLM-L6 and a projection of the mean tokens after several of its layers."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        # Dropout on the attention weights is off: it keeps torch from its fast attention.
        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        self.tower = AutoModel.from_pretrained(str(minilm_folder()), **settings)
        self.tower.embeddings.requires_grad_(False)
        self.tower.encoder.layer[:FROZEN_LAYERS].requires_grad_(False)
        for module in self.tower.modules():
            if isinstance(module, nn.LayerNorm):
                # torch 2.14 gave the last one gradients of 1e29 here under bfloat16 autocast on a CPU.
                module.requires_grad_(False)
        self.projection = Projection(TEXT_WIDTH, dropout)

    def encode(self, mask: Tensor, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """All layers on `input_ids` (B, W) or `inputs_embeds` (B, W, 384) and their mask (B, W).

        Returns the states after the frozen half (B, W, 384) and the mean tokens of all pooled layers (B, 1536), of which
        the first 768 stay as they are in training.
        """
        states = self.tower(attention_mask=mask, output_hidden_states=True, **inputs).hidden_states
        means = [masked_mean(states[layer].float(), mask) for layer in POOLED_LAYERS]
        return states[FROZEN_LAYERS], torch.cat(means, dim=-1)

    def forward(self, states: Tensor, mask: Tensor, frozen_means: Tensor) -> Tensor:
        """States after the frozen half (B, W, 384), mask, and the mean tokens up to it (B, 768) to unit vectors (B, 512)."""
        means = [frozen_means]
        additive_mask = ((1 - mask.to(states.dtype)) * -1e4)[:, None, None]  # (B, 1, 1, W), added to attention scores
        for number in range(FROZEN_LAYERS, len(self.tower.encoder.layer)):
            states = self.tower.encoder.layer[number](states, additive_mask)
            states = states[0] if isinstance(states, tuple) else states
            if number + 1 in POOLED_LAYERS:
                means.append(masked_mean(states.float(), mask))
        return self.projection(torch.cat(means, dim=-1))


class JointModel(ContrastiveModel):
    """Both towers and the temperature between them."""

    def __init__(self, dropout_image: float = 0.4, dropout_text: float = 0.1, scale: float = 20.0) -> None:
        super().__init__(scale)
        self.image, self.text = Projection(STAGES_WIDTH, dropout_image), TextTower(dropout_text)


class TextForExport(nn.Module):
    """The text tower as it is exported."""

    def __init__(self, text: TextTower) -> None:
        super().__init__()
        self.text = text
        text.tower.set_attn_implementation("eager")

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Embedded word pieces (B, W, 384) and their mask (B, W) to `vector` (B, 512)."""
        return self.text.projection(self.text.encode(mask, inputs_embeds=embedded)[1])
