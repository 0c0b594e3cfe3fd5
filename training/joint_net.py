"""Two towers into one space of 512: EfficientNet-Lite0 and MiniLM-L6, each with a small head, and their loss.

Pictures: the network up to its fifth stage stays as ImageNet taught it (its output is cached on the disk, which makes
training cheap); the last two stages and the head are trained. Words: the upper half of MiniLM; its word embeddings are
those of `mini_vocabulary`, and its lower half stays too. The loss is InfoNCE in both directions with a learned temperature (van den Oord et al. 2018;
Radford et al. 2021), where the hardest wrong partners of each row count more (Robinson et al. 2021).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel

from models.encoders.encoder import JOINT
from training.sentences import WIDTH, minilm_folder
from training.towers import efficientnet, mean

FROZEN_STAGES = 5  # of EfficientNet-Lite0's seven
FROZEN_LAYERS = 3  # of MiniLM's six
LOW, MIDDLE, PATCH = 112, 320, 1280  # channels after the fifth stage, the seventh, and the head
HEADS = 8
HOTTEST = 100.0  # the inverse temperature is kept below this, as in CLIP


class Trunk(nn.Module):
    """The frozen part: pixels (B, 3, 224, 224) to (B, 112, 14, 14)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.stages = nn.Sequential(network.conv_stem, network.bn1, *list(network.blocks)[:FROZEN_STAGES])

    def forward(self, pixels: Tensor) -> Tensor:
        return self.stages(pixels)


class Picture(nn.Module):
    """From the trunk's output to the joint space: the mean patch, eight attended patches and the stages below."""

    def __init__(self, network: nn.Module, dropout: float = 0.1) -> None:
        super().__init__()
        self.tail = nn.ModuleList([*list(network.blocks)[FROZEN_STAGES:], network.conv_head, network.bn2])
        self.projection = nn.Linear(PATCH, JOINT)
        self.look, self.value = nn.Linear(PATCH, HEADS), nn.Linear(PATCH, JOINT)
        self.below = nn.Linear(LOW + MIDDLE, JOINT)
        self.dropout = nn.Dropout(dropout)

    def forward(self, low: Tensor) -> Tensor:
        """(B, 112, 14, 14) to unit vectors (B, 512)."""
        middle = self.tail[1](self.tail[0](low))  # (B, 320, 7, 7)
        patches = self.tail[3](self.tail[2](middle)).flatten(2).mT  # (B, 49, 1280)
        weights = self.look(patches).softmax(1)  # (B, 49, heads): where each head looks
        values = self.value(self.dropout(patches)).unflatten(-1, (HEADS, -1))  # (B, 49, heads, 64)
        attended = (weights[..., None] * values).sum(1).flatten(1)  # (B, 512)
        below = torch.cat([low.mean((2, 3)), middle.mean((2, 3))], dim=1)  # (B, 432)
        joined = self.projection(self.dropout(patches.mean(1))) + attended + self.below(self.dropout(below))
        return normalize(joined.float(), dim=-1)

    def train(self, mode: bool = True) -> Picture:
        """The batch norms of the tail keep ImageNet's statistics: a batch of one data set would bend them."""
        super().train(mode)
        self.tail.eval()
        return self


class Words(nn.Module):
    """MiniLM-L6, the mean word, one linear layer."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        # Dropout on the attention weights is off: it keeps torch from its fast attention.
        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        self.tower = AutoModel.from_pretrained(str(minilm_folder()), **settings)
        self.tower.embeddings.requires_grad_(False)
        self.tower.encoder.layer[:FROZEN_LAYERS].requires_grad_(False)
        self.projection = nn.Linear(WIDTH, JOINT)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Word pieces (B, W) and their mask to unit vectors (B, 512)."""
        tokens = self.tower(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, W, 384)
        return normalize(self.projection(self.dropout(mean(tokens, mask))).float(), dim=-1)


class Joint(nn.Module):
    """Both towers and the temperature between them."""

    def __init__(self, dropout: float = 0.1, scale: float = 20.0) -> None:
        super().__init__()
        self.picture, self.words = Picture(efficientnet(), dropout), Words(dropout)
        self.scale = nn.Parameter(torch.tensor(math.log(scale)))

    def temperature(self) -> Tensor:
        """What cosines are multiplied with."""
        return self.scale.exp().clamp(max=HOTTEST)


def info_nce(left: Tensor, right: Tensor, scale: Tensor, *, hardness: float = 0.0) -> Tensor:
    """The loss of unit vectors (B, D) that belong together row by row, in both directions.

    With `hardness` b, a wrong partner counts exp(b * cosine) times, normalised to a mean of 1 a row: the hardest
    negatives of the batch weigh most (Robinson et al. 2021, equation 4). 0 gives InfoNCE itself.
    """
    cosines = left @ right.T  # (B, B)
    same = torch.arange(len(left), device=left.device)
    return (_one_way(cosines, same, scale, hardness) + _one_way(cosines.T, same, scale, hardness)) / 2


def _one_way(cosines: Tensor, same: Tensor, scale: Tensor, hardness: float) -> Tensor:
    scores = cosines * scale
    if hardness:
        own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
        with torch.no_grad():
            weight = (hardness * cosines).masked_fill(own, -math.inf)
            weight = weight - weight.logsumexp(1, keepdim=True) + math.log(max(1, len(cosines) - 1))  # mean of exp is 1
            weight = weight.masked_fill(own, 0.0)
        scores = scores + weight
    return cross_entropy(scores, same)


class PictureForExport(nn.Module):
    """pixels (B, 3, 224, 224) to `vector` (B, 512)."""

    def __init__(self, trunk: Trunk, picture: Picture) -> None:
        super().__init__()
        self.trunk, self.picture = trunk, picture

    def forward(self, pixels: Tensor) -> Tensor:
        return self.picture(self.trunk(pixels))


class WordsForExport(nn.Module):
    """Embedded word pieces (B, W, 384) and their mask to `vector` (B, 512)."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words
        words.tower.set_attn_implementation("eager")

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        tokens = self.words.tower(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        return normalize(self.words.projection(mean(tokens, mask)), dim=-1)
