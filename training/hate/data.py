"""The rows of `hate_cross_attention`: sentences, photographs and memes, as indices into cached tokens of both modalities."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.encoders.mini import MiniEncoder
from training.backbones import mini_words
from training.backbones.base import TokenStore
from training.config import load_config
from training.datasets.counterfactuals import sentences as counterfactual_sentences
from training.engine.folds import group_folds
from training.features import tokens
from training.hate.config import HEADS, MEME_SETS, HateConfig

VALIDATION_FRACTION = 0.5  # of the sentences that are balanced
NAMES = 4  # with which each counterfactual template is filled
BATCH_SIZE = 64
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]  # image tokens (B, R, width), mask, text tokens (B, W, width), mask


@dataclass(frozen=True)
class Rows:
    """The rows of one source: indices of text and picture (-1: the row has none), labels, and the groups that share a fold.

    language: of each sentence, as an ISO 639-1 code; None for memes.
    """

    text: np.ndarray
    picture: np.ndarray
    label: np.ndarray
    group: np.ndarray
    language: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: np.ndarray) -> Rows:
        """The rows with these numbers."""
        language = None if self.language is None else self.language[index]
        return Rows(self.text[index], self.picture[index], self.label[index], self.group[index], language)

    def by_language(self) -> dict[str, Rows]:
        """The sentences of each language."""
        return {
            code: self.take(np.flatnonzero(self.language == code))
            for code in sorted({*(self.language if self.language is not None else ())})
        }

    def batches(self) -> Iterator[Rows]:
        """All rows in their order, some at a time."""
        for start in range(0, len(self), BATCH_SIZE):
            yield self.take(np.arange(start, min(start + BATCH_SIZE, len(self))))

    def drop_modalities(self, fraction: float, rng: np.random.Generator) -> Rows:
        """Modality dropout: this fraction of the rows loses its picture, as many lose their text, none loses both."""
        dice, both = rng.random(len(self)), (self.text >= 0) & (self.picture >= 0)
        picture = np.where(both & (dice < fraction), -1, self.picture)
        text = np.where(both & (dice >= fraction) & (dice < 2 * fraction), -1, self.text)
        return replace(self, picture=picture, text=text)


@dataclass(frozen=True)
class Data:
    """Tokens of both modalities and, by source, the rows that point into them; `photographs` may go with any sentence."""

    texts: TokenStore
    pictures: TokenStore
    rows: dict[str, Rows]
    photographs: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    def inputs(self, rows: Rows) -> Inputs:
        """What the network takes."""
        return *self.pictures.batch(rows.picture), *self.texts.batch(rows.text)

    def batch(self, source: str, rows: Rows) -> tuple[Inputs, Tensor, int]:
        """What a training step takes of a source: inputs, labels (B,), and the column of the logits."""
        return self.inputs(rows), torch.from_numpy(rows.label).float(), head_of(source)


def head_of(source: str) -> int:
    """The column of the logits that a source's labels belong to."""
    return HEADS.index(MEME_SETS.get(source, "hate"))


def read(folder: Path, split: str, cache: Path, config: HateConfig, *, limit: int | None = None) -> Data:
    """`sentences`, `counterfactuals`, `religious_hateful` and `harmeme` of one split, encoded."""
    rng = random.Random(config.seed)
    words_config = load_config("mini_words", mini_words.MiniWordsConfig)
    fraction = config.sentence_fraction if split == "train" else VALIDATION_FRACTION
    sentences = [(row.text, row.label, row.language) for row in balanced(folder, split, words_config, fraction, rng)]
    counterfactuals = [
        (sentence.text, sentence.label, sentence.language)
        for sentence in counterfactual_sentences(split, limit, names=NAMES)
    ]
    if split == "train":
        respelled = partial(mini_words.respell, config=words_config, rng=rng)
        sentences, counterfactuals = (
            [(respelled(text, language), label, language) for text, label, language in rows]
            for rows in (sentences, counterfactuals)
        )
    photographs = [
        *pd.read_parquet(folder / f"flickr8k.{split}.parquet").image[: config.photographs],
        *pd.read_parquet(folder / f"oasis.{split}.parquet").image,
    ][:limit]
    texts, pictures, rows = list[str](), [*photographs], dict[str, Rows]()
    for name, listed in {"sentences": sentences[:limit], "counterfactuals": counterfactuals}.items():
        index, labels = np.arange(len(listed)), np.array([label for _, label, _ in listed])
        languages = np.array([language for _, _, language in listed])
        rows[name] = Rows(len(texts) + index, np.full(len(listed), -1), labels, index, languages)
        texts += [text for text, _, _ in listed]
    for name in MEME_SETS:
        frame = pd.read_parquet(folder / f"{name}.{split}.parquet")[:limit]
        text = [len(texts) + number if caption.strip() else -1 for number, caption in enumerate(frame.text)]
        picture = np.arange(len(pictures), len(pictures) + len(frame))
        rows[name] = Rows(np.array(text), picture, frame.label.to_numpy(), frame.group.to_numpy())
        texts += list(frame.text)
        pictures += list(frame.image)
    encoder = MiniEncoder()
    return Data(
        tokens.text_tokens(texts, encoder, cache),
        tokens.image_tokens(pictures, encoder, cache),
        rows,
        np.arange(len(photographs)),
    )


def balanced(
    folder: Path, split: str, config: mini_words.MiniWordsConfig, fraction: float, rng: random.Random
) -> list[mini_words.Row]:
    """Of each source and language as many hateful sentences as harmless ones: this fraction of those that can be paired.

    How often hate comes differs between the sources; what is learned and chosen here must not depend on it.
    """
    rows = list(mini_words.hate_rows(folder, split, config))
    rng.shuffle(rows)
    chosen = list[mini_words.Row]()
    for _, group in groupby(
        sorted(rows, key=lambda row: (row.source, row.language)), lambda row: (row.source, row.language)
    ):
        drawn = [row for row in group if row.weight > rng.random()]
        sides = [[row for row in drawn if row.label == label] for label in (0, 1)]
        count = round(fraction * min(map(len, sides)))
        chosen += [*sides[0][:count], *sides[1][:count]]
    rng.shuffle(chosen)
    return chosen


def folds(data: Data, config: HateConfig) -> dict[str, np.ndarray]:
    """For each set of memes the fold (0 to folds - 1) of each row; rows of one group share a fold."""
    rng = np.random.default_rng(config.seed)
    return {name: group_folds(data.rows[name].group, config.folds, rng) for name in MEME_SETS}
