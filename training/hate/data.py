"""The rows of `hate_cross_attention`: sentences, memes and memes composed of both, one index into the features each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.encoders.mini import MiniEncoder
from training.config import read as read_recipe
from training.datasets.counterfactuals import misspell
from training.datasets.counterfactuals import sentences as counterfactual_sentences
from training.engine.folds import group_folds
from training.features import tokens

if TYPE_CHECKING:
    from training.hate.train import Recipe

HEADS = ("hate", "harm")
HATE, HARM = 0, 1  # which head a row belongs to
VALIDATION_SHARE = 0.25  # of hate_text's validation rows


@dataclass(frozen=True)
class Rows:
    """One source: index of text and picture (-1: it has none), label, and the group that may not be torn apart."""

    text: np.ndarray
    picture: np.ndarray
    label: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def take(self, chosen: np.ndarray) -> Rows:
        return Rows(self.text[chosen], self.picture[chosen], self.label[chosen], self.group[chosen])


@dataclass(frozen=True)
class Data:
    """Features of both sides and, by name, the rows that point into them; `photographs` are free to be set beside text."""

    texts: tokens.TextTokens
    pictures: tokens.ImageTokens
    rows: dict[str, Rows]
    photographs: np.ndarray


def read(folder: Path, split: str, cache: Path, recipe: Recipe, *, limit: int | None = None) -> Data:
    """`sentences`, `counterfactuals`, `religious_hateful`, `harmeme` of one split, encoded."""
    rng = random.Random(recipe.seed)
    frames = {
        name: pd.read_parquet(folder / f"{name}.{split}.parquet")[:limit] for name in ("religious_hateful", "harmeme")
    }
    words = _sentences(
        pd.read_parquet(folder / f"hate_text.{split}.parquet"),
        rng,
        recipe.share if split == "train" else VALIDATION_SHARE,
    )
    ours = [(s.text, s.label) for s in counterfactual_sentences(split)]
    ours = [
        (misspell(text, rng) if split == "train" and rng.random() < recipe.misspelt else text, label)
        for text, label in ours
    ]
    spoken = {"sentences": words[:limit], "counterfactuals": ours[:limit]}
    photographs = [*pd.read_parquet(folder / f"flickr8k.{split}.parquet").image[: recipe.photographs]]
    photographs += [*pd.read_parquet(folder / f"oasis.{split}.parquet").image]
    photographs = photographs[:limit]

    all_texts = [text for part in spoken.values() for text, _ in part]
    all_pictures = list(photographs)
    rows = {}
    at = 0
    for name, part in spoken.items():
        labels = np.array([label for _, label in part])
        rows[name] = Rows(np.arange(at, at + len(part)), np.full(len(part), -1), labels, np.arange(len(part)))
        at += len(part)
    for name, frame in frames.items():
        text = np.array([len(all_texts) + i if words.strip() else -1 for i, words in enumerate(frame.text)])
        picture = np.arange(len(all_pictures), len(all_pictures) + len(frame))
        rows[name] = Rows(text, picture, frame.label.to_numpy(), frame.group.to_numpy())
        all_texts += list(frame.text)
        all_pictures += list(frame.image)
    encoder = MiniEncoder()
    return Data(
        tokens.text_tokens(all_texts, encoder, cache),
        tokens.image_tokens(all_pictures, encoder, cache),
        rows,
        np.arange(len(photographs)),
    )


def _sentences(frame: pd.DataFrame, rng: random.Random, share: float) -> list[tuple[str, int]]:
    rows = []
    weights = read_recipe("mini_words")["weights"]
    for text, label, kind, source in zip(frame.text, frame.label, frame.raw_label, frame.source_set, strict=True):
        if rng.random() < share * min(1.0, weights[source].get(kind, 0.0)):
            rows.append((text, int(label)))
    return rows


def folds(groups: Sequence[np.ndarray], count: int, seed: int) -> list[list[np.ndarray]]:
    """For each set of rows, which fold (0 to count - 1) each row is in; rows of one group share a fold."""
    rng = np.random.default_rng(seed)
    return [list(group_folds(group, count, rng)) for group in groups]
