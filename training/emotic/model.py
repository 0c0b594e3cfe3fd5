"""EMOTIC's two models over the same frozen features: one joint space, and a baseline that keeps context and body apart.

Joint: a network takes context and body to a unit vector of 512, and the mean MiniLM tokens of the 26 categories' descriptions
are projected into the same space. InfoNCE in both directions with a learned temperature and weighted hard negatives draws
people to their categories; two heads read the vector. Baseline: a network for the context and one for the body, whose
predictions are averaged (late fusion).
"""

import tomllib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize, smooth_l1_loss

from models.emotions.people import CONTINUOUS
from models.encoders.base import JOINT
from training.backbones.e5 import WIDTH
from training.backbones.pretrained import efficientnet
from training.datasets.emotic import CATEGORIES
from training.engine.losses import info_nce
from training.retrieval.data import pad, tokenize
from training.retrieval.model import STAGES_WIDTH, ContrastiveModel, Stages, Standardizer, TextTower

HIDDEN = 768
OUTPUTS = len(CATEGORIES) + len(CONTINUOUS)
RATING_MEAN, RATING_STD = 5.5, 2.0  # of the ratings from 1 to 10: the heads predict in these units
MIN_STD = 1e-3  # of a feature
DESCRIPTIONS: dict[str, str] = tomllib.loads(Path(__file__).with_name("categories.toml").read_text(encoding="utf-8"))


class JointModel(ContrastiveModel):
    """People and categories in one space, and the heads on it."""

    def __init__(self, descriptions: Tensor, dropout: float = 0.3, scale: float = 10.0, hardness: float = 1.0) -> None:
        """`descriptions` (26, 384): MiniLM's mean tokens of the categories."""
        super().__init__(scale)
        self.hardness = hardness
        self.standardize = Standardizer(2 * STAGES_WIDTH)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * STAGES_WIDTH, JOINT)
        self.mlp = nn.Sequential(
            nn.Linear(2 * STAGES_WIDTH, HIDDEN), nn.GELU(), nn.Dropout(dropout), nn.Linear(HIDDEN, JOINT)
        )
        self.register_buffer("descriptions", descriptions)
        self.text = nn.Linear(WIDTH, JOINT)
        self.heads = nn.Linear(JOINT, OUTPUTS)

    def person(self, features: Tensor) -> Tensor:
        """(B, 3424) to unit vectors (B, 512)."""
        features = self.dropout(self.standardize(features))
        return normalize(self.linear(features) + self.mlp(features), dim=-1)

    def categories(self) -> Tensor:
        """The categories' unit vectors (26, 512)."""
        return normalize(self.text(self.descriptions), dim=-1)

    def predict(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, 512) to logits and ratings."""
        return _split(self.heads(vectors * JOINT**0.5))  # entries of about 1

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 3424) to logits (B, 26) and ratings (B, 3) from 1 to 10."""
        return self.predict(self.person(features))

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """InfoNCE (`align`) and the losses of the heads."""
        vectors = self.person(batch["features"])
        aligned = align(vectors, self.categories(), batch["categories"] > 0, self.scale(), self.hardness)
        return {"align": aligned} | _head_losses(*self.predict(vectors), batch)


class LateFusion(nn.Module):
    """The baseline: context and body predict apart, and the predictions are averaged."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.standardize = Standardizer(2 * STAGES_WIDTH)
        self.context, self.body = (
            nn.Sequential(
                nn.Dropout(dropout), nn.Linear(STAGES_WIDTH, HIDDEN), nn.GELU(),
                nn.Dropout(dropout), nn.Linear(HIDDEN, OUTPUTS),
            )
            for _ in range(2)
        )  # fmt: skip

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 3424) to logits (B, 26) and ratings (B, 3) from 1 to 10."""
        context, body = self.standardize(features).split(STAGES_WIDTH, dim=-1)
        return _split((self.context(context) + self.body(body)) / 2)

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of the heads."""
        logits, ratings = self(batch["features"])
        return _head_losses(logits, ratings, batch)


EmoticModel = JointModel | LateFusion


def align(people: Tensor, categories: Tensor, y_true: Tensor, scale: Tensor, hardness: float) -> Tensor:
    """InfoNCE in both directions over all pairs (person, one of its categories); (B, 512), (26, 512), bool (B, 26).

    The other categories of a person are no negatives of it, and other people with the category none of the category.
    """
    rows, columns = y_true.nonzero(as_tuple=True)
    if not len(rows):
        return people.sum() * 0.0
    to_categories = info_nce(people[rows], categories, columns, scale, ignored=y_true[rows], hardness=hardness)
    to_people = info_nce(categories[columns], people, rows, scale, ignored=y_true.T[columns], hardness=hardness)
    return (to_categories + to_people) / 2


def _split(outputs: Tensor) -> tuple[Tensor, Tensor]:
    logits, ratings = outputs.split([len(CATEGORIES), len(CONTINUOUS)], dim=-1)
    return logits, ratings * RATING_STD + RATING_MEAN


def _head_losses(logits: Tensor, ratings: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    known = ~batch["continuous"].isnan()
    errors = smooth_l1_loss(ratings[known] / RATING_STD, batch["continuous"][known] / RATING_STD, reduction="sum")
    return {
        "categories": binary_cross_entropy_with_logits(logits, batch["categories"]),
        "ratings": errors / known.sum().clamp(min=1),
    }


@torch.no_grad()
def encode_descriptions() -> Tensor:
    """MiniLM's mean token (26, 384) of each category's name and description."""
    ids, mask = pad(tokenize([[f"{name}: {DESCRIPTIONS[name]}" for name in CATEGORIES]]))
    return TextTower().eval().encode(mask, input_ids=ids)[1][:, -WIDTH:]  # the last layer's


class PersonForExport(nn.Module):
    """The frozen network and the joint model as one graph."""

    def __init__(self, model: JointModel) -> None:
        super().__init__()
        self.stages, self.model = Stages(efficientnet()), model

    def forward(self, context: Tensor, body: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels (B, 3, 224, 224) to `categories` (B, 26), `continuous` (B, 3) and `vector` (B, 512)."""
        vector = self.model.person(torch.cat([self.stages(context), self.stages(body)], dim=1))
        return *self.model.predict(vector), vector
