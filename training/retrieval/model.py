"""Two towers into one space of 512: EfficientNet-Lite0 and MiniLM-L6, each with a head, and their loss.

Pictures: the network stays as ImageNet taught it, but looks at 320 pixels, where it sees small things; what three of its
stages say of a picture is computed once for all epochs, and a linear layer on them is trained. Words: the mean word
after the embeddings and after every second layer of MiniLM, side by side, so that a caption's very words count beside
its sense; the word embeddings are those of `mini_vocabulary`, the lower half stays as it was, the upper half is trained.
The loss is InfoNCE in both directions with a learned temperature (van den Oord et al. 2018; Radford et al. 2021), in
which the hardest wrong partners count more (Robinson et al. 2021).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoModel

from models.encoders.base import JOINT
from training.backbones.pretrained import efficientnet, mean
from training.backbones.sentences import WIDTH, minilm_folder

SIDE = 320  # pixels
FROZEN_LAYERS = 3  # of MiniLM's six
READ = (0, 2, 4, 6)  # after which layers the mean word is read; 0 is the embeddings
FROZEN_MEANS = sum(layer <= FROZEN_LAYERS for layer in READ)
STAGES = (112, 320, 1280)  # channels of the fifth and the seventh stage and of the head of EfficientNet-Lite0
HOTTEST = 100.0  # the inverse temperature is kept below this, as in CLIP
FLAT = 1e-4  # spread below which a feature counts as constant


class Stages(nn.Module):
    """The frozen network: pixels (B, 3, S, S) to the means of three stages side by side (B, 1712)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        blocks = list(network.blocks)
        self.low = nn.Sequential(network.conv_stem, network.bn1, *blocks[:5])
        self.middle = nn.Sequential(*blocks[5:])
        self.head = nn.Sequential(network.conv_head, network.bn2)

    def forward(self, pixels: Tensor) -> Tensor:
        low = self.low(pixels)
        middle = self.middle(low)
        return torch.cat([stage.mean((2, 3)) for stage in (low, middle, self.head(middle))], dim=1)


class Side(nn.Module):
    """Features (B, width), standardised, through one layer to unit vectors (B, 512)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.dropout, self.layer = nn.Dropout(dropout), nn.Linear(width, JOINT)

    def standardise(self, seen: Tensor) -> None:
        """Takes mean and spread from the training rows (N, width)."""
        self.centre.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0).clamp(min=FLAT))

    def forward(self, seen: Tensor) -> Tensor:
        seen = self.dropout((seen.float() - self.centre) / self.spread)
        return normalize(self.layer(seen).float(), dim=-1)


class Words(nn.Module):
    """MiniLM-L6 and a head on the mean words after several of its layers."""

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
        self.side = Side(len(READ) * WIDTH, dropout)

    @torch.no_grad()
    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Word pieces (B, W) to the states in which the frozen half ends (B, W, 384) and the means of all layers read
        (B, 1536), of which the first 768 stay as they are in training."""
        states = self.tower(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        return states[FROZEN_LAYERS], torch.cat([mean(states[layer].float(), mask) for layer in READ], dim=-1)

    def forward(self, states: Tensor, mask: Tensor, means: Tensor) -> Tensor:
        """States, mask, and the means up to there (B, 768) to unit vectors (B, 512)."""
        parts = [means]
        for number in range(FROZEN_LAYERS, len(self.tower.encoder.layer)):
            states = self.tower.encoder.layer[number](states, _additive(mask, states))
            states = states[0] if isinstance(states, tuple) else states
            if number + 1 in READ:
                parts.append(mean(states.float(), mask))
        return self.side(torch.cat(parts, dim=-1))


def _additive(mask: Tensor, states: Tensor) -> Tensor:
    """The mask as what is added to attention scores: (B, 1, 1, W)."""
    return ((1 - mask.to(states.dtype)) * -1e4)[:, None, None]


class Joint(nn.Module):
    """Both sides and the temperature between them."""

    def __init__(self, dropout_picture: float = 0.4, dropout_words: float = 0.1, scale: float = 20.0) -> None:
        super().__init__()
        self.picture, self.words = Side(sum(STAGES), dropout_picture), Words(dropout_words)
        self.scale = nn.Parameter(torch.tensor(math.log(scale)))

    def temperature(self) -> Tensor:
        """What cosines are multiplied with."""
        return self.scale.exp().clamp(max=HOTTEST)


class PictureForExport(nn.Module):
    """pixels (B, 3, 320, 320) to `vector` (B, 512)."""

    def __init__(self, picture: Side) -> None:
        super().__init__()
        self.stages, self.picture = Stages(efficientnet()), picture

    def forward(self, pixels: Tensor) -> Tensor:
        return self.picture(self.stages(pixels))


class WordsForExport(nn.Module):
    """Embedded word pieces (B, W, 384) and their mask to `vector` (B, 512)."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words
        words.tower.set_attn_implementation("eager")

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        states = self.words.tower(inputs_embeds=embedded, attention_mask=mask, output_hidden_states=True).hidden_states
        return self.words.side(torch.cat([mean(states[layer], mask) for layer in READ], dim=-1))
