"""EMOTIC's two systems over the same frozen features: one joint space, and context and body kept apart.

Joint: context and body go through one network to a unit vector of 512; the 26 categories' descriptions go there from
MiniLM's mean token. InfoNCE in both directions with a learned temperature and weighted hard negatives (`engine/losses.py`)
draws people to their categories; two heads on the vector answer. Baseline: a network for the context and one for the body,
whose answers are averaged (late combination).
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize, smooth_l1_loss
from transformers import AutoModel, AutoTokenizer

from models.emotions.people import CONTINUOUS
from models.encoders.base import JOINT
from training.backbones.pretrained import efficientnet, mean
from training.backbones.sentences import WIDTH, minilm_folder
from training.datasets.emotic import CATEGORIES
from training.engine.losses import info_nce
from training.retrieval.model import HOTTEST, STAGES, Stages

HIDDEN = 768
SIDE = sum(STAGES)  # what the stages say of one picture
ANSWERS = len(CATEGORIES) + len(CONTINUOUS)
MIDDLE, SPREAD = 5.5, 2.0  # of the ratings from 1 to 10: the heads answer in these units
# After the definitions of Kosti et al. 2017, table 1, in short.
DESCRIPTIONS = {
    "Affection": "fond feelings, love, tenderness",
    "Anger": "intense displeasure or rage, furious, resentful",
    "Annoyance": "bothered by something or someone, irritated, impatient, frustrated",
    "Anticipation": "looking forward, hoping for or getting prepared for possible future events",
    "Aversion": "feeling disgust, dislike, repulsion, feeling hate",
    "Confidence": "feeling of being certain, sure that an outcome will be favourable, encouraged, proud",
    "Disapproval": "feeling that something is wrong or reprehensible, contempt, hostile",
    "Disconnection": "not interested in the main event of the surroundings, indifferent, bored, distracted",
    "Disquietment": "nervous, worried, upset, anxious, tense, pressured, alarmed",
    "Doubt/Confusion": "difficulty to understand or decide, thinking about different options",
    "Embarrassment": "feeling ashamed or guilty",
    "Engagement": "paying attention to something, absorbed into something, curious, interested",
    "Esteem": "feelings of favourable opinion or judgement, respect, admiration, gratefulness",
    "Excitement": "feeling enthusiasm, stimulated, energetic",
    "Fatigue": "weariness, tiredness, sleepy",
    "Fear": "feeling suspicious or afraid of danger, threat, evil or pain, horror",
    "Happiness": "feeling delighted, feeling enjoyment or amusement",
    "Pain": "physical suffering",
    "Peace": "well being and relaxed, no worry, having positive thoughts or sensations, satisfied",
    "Pleasure": "feeling of delight in the senses",
    "Sadness": "feeling unhappy, sorrow, disappointed, or discouraged",
    "Sensitivity": "feeling of being physically or emotionally wounded, feeling delicate or vulnerable",
    "Suffering": "psychological or emotional pain, distressed, anguished",
    "Surprise": "sudden discovery of something unexpected",
    "Sympathy": "state of sharing others' emotions, goals or troubles, supportive, compassionate",
    "Yearning": "strong desire to have something, jealous, envious, lust",
}


class System(Protocol):
    """What the training loop asks of either system."""

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Named parts of the loss, before their weights."""

    def answer(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What the stages say (B, 3424) to logits (B, 26) and ratings (B, 3) from 1 to 10."""


class Standardise(nn.Module):
    """Takes out mean and spread of the training people's features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def learn(self, seen: Tensor) -> None:
        """From (N, width)."""
        self.centre.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0, correction=0).clamp(min=1e-3))

    def forward(self, seen: Tensor) -> Tensor:
        return (seen - self.centre) / self.spread


class Joint(nn.Module):
    """Person and categories in one space, and the heads on it."""

    def __init__(self, described: Tensor, dropout: float = 0.3, scale: float = 10.0, hardness: float = 1.0) -> None:
        """`described` (26, 384): what MiniLM says of the categories."""
        super().__init__()
        self.hardness = hardness
        self.standardise = Standardise(2 * SIDE)
        self.dropout = nn.Dropout(dropout)
        self.straight = nn.Linear(2 * SIDE, JOINT)
        self.around = nn.Sequential(
            nn.Linear(2 * SIDE, HIDDEN), nn.GELU(), nn.Dropout(dropout), nn.Linear(HIDDEN, JOINT)
        )
        self.register_buffer("described", described)
        self.words = nn.Linear(WIDTH, JOINT)
        self.scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.heads = nn.Linear(JOINT, ANSWERS)

    def person(self, seen: Tensor) -> Tensor:
        """(B, 3424) to unit vectors (B, 512)."""
        seen = self.dropout(self.standardise(seen))
        return normalize(self.straight(seen) + self.around(seen), dim=-1)

    def categories(self) -> Tensor:
        """The categories' unit vectors (26, 512)."""
        return normalize(self.words(self.described), dim=-1)

    def temperature(self) -> Tensor:
        """What cosines are multiplied with."""
        return self.scale.exp().clamp(max=HOTTEST)

    def answer_of(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, 512) to logits and ratings."""
        return _split(self.heads(vectors * JOINT**0.5))  # entries of about 1

    def answer(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        return self.answer_of(self.person(seen))

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        vectors, truth = self.person(batch["seen"]), batch["categories"] > 0
        return {"align": align(vectors, self.categories(), truth, self.temperature(), self.hardness)} | _heads(
            *self.answer_of(vectors), batch
        )


class Late(nn.Module):
    """The baseline: context and body answer apart, and the answers are averaged."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.standardise = Standardise(2 * SIDE)
        self.sides = nn.ModuleList(
            nn.Sequential(nn.Dropout(dropout), nn.Linear(SIDE, HIDDEN), nn.GELU(), nn.Dropout(dropout), nn.Linear(HIDDEN, ANSWERS))
            for _ in ("context", "body")
        )  # fmt: skip

    def answer(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        halves = self.standardise(seen).split(SIDE, dim=-1)
        return _split(torch.stack([side(half) for side, half in zip(self.sides, halves, strict=True)]).mean(0))

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return _heads(*self.answer(batch["seen"]), batch)


def align(people: Tensor, categories: Tensor, truth: Tensor, scale: Tensor, hardness: float) -> Tensor:
    """InfoNCE in both directions over all pairs (person, one of its categories); (B, 512), (26, 512), bool (B, 26).

    A person's other categories are no wrong partners of it, and other people with the category none of the category.
    """
    rows, columns = truth.nonzero(as_tuple=True)
    if not len(rows):
        return people.sum() * 0.0
    told = info_nce(people[rows], categories, columns, scale, ignored=truth[rows], hardness=hardness)
    shown = info_nce(categories[columns], people, rows, scale, ignored=truth.T[columns], hardness=hardness)
    return (told + shown) / 2


def _split(answers: Tensor) -> tuple[Tensor, Tensor]:
    logits, ratings = answers.split([len(CATEGORIES), len(CONTINUOUS)], dim=-1)
    return logits, ratings * SPREAD + MIDDLE


def _heads(logits: Tensor, ratings: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    known = ~batch["continuous"].isnan()
    off = (
        smooth_l1_loss(ratings[known] / SPREAD, batch["continuous"][known] / SPREAD)
        if known.any()
        else ratings.sum() * 0
    )
    return {"categories": binary_cross_entropy_with_logits(logits, batch["categories"]), "ratings": off}


@torch.no_grad()
def described() -> Tensor:
    """MiniLM's mean token (26, 384) of each category's name and description."""
    tower = AutoModel.from_pretrained(str(minilm_folder()), add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
    texts = [f"{name}: {DESCRIPTIONS[name]}" for name in CATEGORIES]
    fed = tokenizer(texts, padding=True, return_tensors="pt")
    tokens = tower(input_ids=fed["input_ids"], attention_mask=fed["attention_mask"]).last_hidden_state  # (26, W, 384)
    return mean(tokens, fed["attention_mask"])


class PersonForExport(nn.Module):
    """context and body (B, 3, 224, 224) to `categories` (B, 26), `continuous` (B, 3) and `vector` (B, 512)."""

    def __init__(self, joint: Joint) -> None:
        super().__init__()
        self.stages, self.joint = Stages(efficientnet()), joint

    def forward(self, context: Tensor, body: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        vector = self.joint.person(torch.cat([self.stages(context), self.stages(body)], dim=1))
        logits, ratings = self.joint.answer_of(vector)
        return logits, ratings, vector
