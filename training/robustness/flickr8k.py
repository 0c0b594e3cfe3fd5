"""Retrieval under attack: `joint` is the space that ships, `baseline` frozen towers kept apart and combined late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from models.weights import Card
from training.backbones import mini_towers
from training.config import load_config
from training.datasets.base import Row
from training.datasets.flickr8k import FLICKR8K
from training.retrieval import baseline
from training.robustness import metrics as figures
from training.robustness.samples import Sample
from training.robustness.targets import (
    ANSWERED_RIGHT,
    Features,
    Settings,
    Target,
    chosen,
    pictures,
    right,
    some,
    standing,
    trigger,
)

HELD = 1000  # validation photographs, whose captions are those searched; the baseline has few of them first
TOP = 10


class Flickr8k:
    """The margin of a photograph's best own caption over the best other one."""

    folder, variants = "joint_picture", ("baseline", "joint")
    what = "A photograph's own caption is no longer the first of the 5,000 captions of 1,000 validation photographs."
    score = "similarity of the best own caption minus the best other one (baseline: logits; joint: cosines)"
    drawn = ANSWERED_RIGHT

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features = settings, Features(cache, settings.get("threads", 0))
        self.train = some(FLICKR8K.load("train", data)[0], settings["train_rows"], settings["seed"])
        self.held = FLICKR8K.load("validation", data)[0][:HELD]
        self.images = {"train": pictures(self.train), "held": pictures(self.held)}
        self.owner = {"train": _owner(self.train), "held": _owner(self.held)}
        self._seen: dict[tuple[str, str], np.ndarray] = {}
        self._told: dict[tuple[str, str], np.ndarray] = {}

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The towers' folders."""
        return self.features.cards(variant)

    def seen(self, variant: str, part: str) -> np.ndarray:
        """Vectors of the pictures of a part."""
        if (variant, part) not in self._seen:
            self._seen[variant, part] = self.features.kept_of(variant, self.images[part])
        return self._seen[variant, part]

    def told(self, variant: str, part: str) -> np.ndarray:
        """Vectors of all captions of a part."""
        if (variant, part) not in self._told:
            rows = self.train if part == "train" else self.held
            captions = [str(one) for row in rows for one in row.details["captions"]]
            self._told[variant, part] = self.features.kept_words(variant, captions)
        return self._told[variant, part]

    @cached_property
    def late(self) -> baseline.LateFusion:
        """The baseline, fitted on clean rows."""
        return self._late(self.seen("baseline", "train"), self.told("baseline", "train"))

    def targets(self, variant: str) -> list[Target]:
        """Photographs whose own caption comes first."""
        margins = self._margins(variant, self.told(variant, "held"), self.owner["held"])
        return right(self.images["held"], margins, self.settings)

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """Sample memes whose own description comes first among those of all samples."""
        words = self.features.words(variant, [sample.alt for sample in shown])
        margins = self._margins(variant, words, np.arange(len(shown)))
        return [standing(sample.image, partial(margins, row=row)) for row, sample in enumerate(shown)]

    def _margins(self, variant: str, words: np.ndarray, owner: np.ndarray) -> Callable[..., np.ndarray]:
        """Scores pictures: how far the best caption of a `row` is above the best other one."""

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            seen = self.features.of(variant, images)
            scores = seen @ words.T if variant == "joint" else self.late.all_pairs(seen, words)  # (n, captions)
            return scores[:, owner == row].max(1) - scores[:, owner != row].max(1)

        return margins

    def poisoned(self, variant: str, share: float) -> figures.Figures:
        """R@10 of captions, in percent, for clean photographs and for the same ones with the trigger."""
        seen = self.seen(variant, "train").copy()
        bad = chosen(len(seen), share, self.settings["seed"])
        if len(bad):
            marked = [trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            seen[bad] = self.features.of(variant, marked)
        shown = np.arange(len(seen))
        shown[bad] = np.roll(bad, 1)  # a poisoned photograph comes with another one's captions
        words, held_words = self.told(variant, "train"), self.told(variant, "held")
        scores: Callable[[np.ndarray, np.ndarray], np.ndarray]
        if variant == "joint":
            scores = _linear_pair(seen, words.reshape(len(seen), -1, words.shape[1])[shown])
        else:
            owner = self.owner["train"]
            order = np.concatenate([np.flatnonzero(owner == row) for row in shown])
            scores = self._late(seen, words[order]).all_pairs
        held = self.owner["held"]
        marked = [trigger(image, self.settings["trigger"]) for image in self.images["held"]]
        clean = _top(scores(self.seen(variant, "held"), held_words), held)
        dirty = _top(scores(self.features.kept_of(variant, marked), held_words), held)
        own = np.bincount(held).mean()
        by_chance = 1 - np.prod([1 - own / (len(held) - at) for at in range(TOP)])
        return {
            "share": share,
            **figures.share("clean_r10", clean, 100),
            **figures.share("triggered_r10", dirty, 100),
            "clean_r10_chance": 100 * float(by_chance),
        }

    def _late(self, seen: np.ndarray, words: np.ndarray) -> baseline.LateFusion:
        seed = self.settings["seed"]
        return baseline.train(seen, words, self.owner["train"], seed=seed, epochs=self.settings["epochs"])


def _owner(rows: Sequence[Row]) -> np.ndarray:
    return np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])


def _top(scores: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Whether one of a picture's own captions is among the ten best of [pictures, captions]."""
    best = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    return (owner[best] == np.arange(len(scores))[:, None]).any(1)


def _linear_pair(seen: np.ndarray, words: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Two linear maps fitted by InfoNCE on (N, D) pictures and (N, 5, D) captions, starting from the joint space itself."""
    torch.manual_seed(0)
    left, other = (nn.Linear(seen.shape[1], seen.shape[1]) for _ in range(2))
    for layer in (left, other):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    config = load_config("mini_towers", mini_towers.MiniTowersConfig)
    mini_towers.align(left, other, torch.from_numpy(seen), torch.from_numpy(np.ascontiguousarray(words)), config)

    @torch.no_grad()
    def scores(asked: np.ndarray, told: np.ndarray) -> np.ndarray:
        one, another = left(torch.from_numpy(asked)), other(torch.from_numpy(told))
        return (nn.functional.normalize(one, dim=-1) @ nn.functional.normalize(another, dim=-1).T).numpy()

    return scores
