"""Two towers into one space of 512: EfficientNet-Lite0 and MiniLM-L6, each with a head, and their loss.

Pictures: the network stays as ImageNet taught it; what three of its stages say of a picture is computed once for all
epochs, and a small network on top of them is trained. Words: the upper half of MiniLM; its word embeddings are those of
`mini_vocabulary`, and its lower half stays too. The loss is InfoNCE in both directions with a learned temperature (van den
Oord et al. 2018; Radford et al. 2021). Since pictures are cheap here, each caption is told apart from thousands of them, and
each picture from the captions of the last steps too (Wang et al. 2020, cross-batch memory); the hardest wrong partners
count more (Robinson et al. 2021).
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

FROZEN_LAYERS = 3  # of MiniLM's six
STAGES = (112, 320, 1280)  # channels of the fifth and the seventh stage and of the head of EfficientNet-Lite0
HIDDEN = 768
HOTTEST = 100.0  # the inverse temperature is kept below this, as in CLIP


class Stages(nn.Module):
    """The frozen network: pixels (B, 3, 224, 224) to the means of three stages side by side (B, 1712)."""

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


class Picture(nn.Module):
    """What the stages say (B, 1712) to unit vectors (B, 512): a straight way and one through a hidden layer."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        width = sum(STAGES)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.straight = nn.Linear(width, JOINT)
        self.around = nn.Sequential(nn.Linear(width, HIDDEN), nn.GELU(), nn.Dropout(dropout), nn.Linear(HIDDEN, JOINT))
        self.dropout = nn.Dropout(dropout)

    def standardise(self, seen: Tensor) -> None:
        """Takes mean and spread from the training photographs (N, 1712)."""
        self.centre.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0).clamp(min=1e-4))

    def forward(self, seen: Tensor) -> Tensor:
        seen = self.dropout((seen - self.centre) / self.spread)
        return normalize((self.straight(seen) + self.around(seen)).float(), dim=-1)


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
        self.picture, self.words = Picture(2 * dropout), Words(dropout)
        self.scale = nn.Parameter(torch.tensor(math.log(scale)))

    def temperature(self) -> Tensor:
        """What cosines are multiplied with."""
        return self.scale.exp().clamp(max=HOTTEST)


def info_nce(
    asked: Tensor, partners: Tensor, own: Tensor, scale: Tensor, *, same: Tensor, hardness: float = 0.0
) -> Tensor:
    """The loss of unit vectors asked (B, D), each of whose partner is row `own` (B,) of partners (P, D).

    `same` bool (B, P) marks pairs that belong together without being the one asked for (another caption of the picture):
    they count neither way. With `hardness` b a wrong partner counts exp(b * cosine) times, normalised to a mean of 1 a row
    (Robinson et al. 2021, equation 4); 0 gives InfoNCE itself.
    """
    cosines = asked @ partners.T  # (B, P)
    right = nn.functional.one_hot(own, len(partners)).bool()
    scores = cosines * scale
    if hardness:
        with torch.no_grad():
            weight = (hardness * cosines).masked_fill(right | same, -math.inf)
            wrong = (~(right | same)).sum(1, keepdim=True).clamp(min=1)
            weight = weight - weight.logsumexp(1, keepdim=True) + wrong.log()
        scores = torch.where(right | same, scores, scores + weight)
    return cross_entropy(scores.masked_fill(same & ~right, -math.inf), own)


class PictureForExport(nn.Module):
    """pixels (B, 3, 224, 224) to `vector` (B, 512)."""

    def __init__(self, picture: Picture) -> None:
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
        tokens = self.words.tower(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        return normalize(self.words.projection(mean(tokens, mask)), dim=-1)
