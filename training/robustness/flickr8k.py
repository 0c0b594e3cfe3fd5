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
from training.robustness import metrics
from training.robustness.samples import Sample
from training.robustness.targets import (
    ANSWERED_RIGHT,
    Features,
    Settings,
    Target,
    correct_targets,
    open_images,
    poisoned_rows,
    sample_rows,
    target_or_none,
    trigger,
)

MAX_VALIDATION = 1000  # validation photographs, whose captions are those searched; the baseline has few of them first
TOP_K = 10


class Flickr8k:
    """The margin of a photograph's best own caption over the best other one."""

    folder, variants = "joint_picture", ("baseline", "joint")
    what = "A photograph's own caption is no longer the first of the 5,000 captions of 1,000 validation photographs."
    score = "similarity of the best own caption minus the best other one (baseline: logits; joint: cosines)"
    drawn = ANSWERED_RIGHT

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features = settings, Features(cache, settings.get("threads", 0))
        self.train = sample_rows(FLICKR8K.load("train", data)[0], settings["train_rows"], settings["seed"])
        self.validation = FLICKR8K.load("validation", data)[0][:MAX_VALIDATION]
        self.images = {"train": open_images(self.train), "validation": open_images(self.validation)}
        self.owner = {"train": _owner(self.train), "validation": _owner(self.validation)}
        self._image_vectors: dict[tuple[str, str], np.ndarray] = {}
        self._caption_vectors: dict[tuple[str, str], np.ndarray] = {}

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The towers' folders."""
        return self.features.cards(variant)

    def image_vectors(self, variant: str, part: str) -> np.ndarray:
        """Vectors of the pictures of a part."""
        if (variant, part) not in self._image_vectors:
            self._image_vectors[variant, part] = self.features.cached_images(variant, self.images[part])
        return self._image_vectors[variant, part]

    def caption_vectors(self, variant: str, part: str) -> np.ndarray:
        """Vectors of all captions of a part."""
        if (variant, part) not in self._caption_vectors:
            rows = self.train if part == "train" else self.validation
            captions = [str(caption) for row in rows for caption in row.details["captions"]]
            self._caption_vectors[variant, part] = self.features.cached_texts(variant, captions)
        return self._caption_vectors[variant, part]

    @cached_property
    def late(self) -> baseline.LateFusion:
        """The baseline, fitted on clean rows."""
        return self._late(self.image_vectors("baseline", "train"), self.caption_vectors("baseline", "train"))

    def targets(self, variant: str) -> list[Target]:
        """Photographs whose own caption comes first."""
        margins = self._margins(variant, self.caption_vectors(variant, "validation"), self.owner["validation"])
        return correct_targets(self.images["validation"], margins, self.settings)

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """Sample memes whose own description comes first among those of all samples."""
        words = self.features.texts(variant, [sample.alt for sample in shown])
        margins = self._margins(variant, words, np.arange(len(shown)))
        return [target_or_none(sample.image, partial(margins, row=row)) for row, sample in enumerate(shown)]

    def _margins(self, variant: str, words: np.ndarray, owner: np.ndarray) -> Callable[..., np.ndarray]:
        """Scores pictures: how far the best caption of a `row` is above the best other one."""

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            vectors = self.features.images(variant, images)
            scores = vectors @ words.T if variant == "joint" else self.late.all_pairs(vectors, words)  # (n, captions)
            return scores[:, owner == row].max(1) - scores[:, owner != row].max(1)

        return margins

    def poisoned(self, variant: str, share: float) -> metrics.Metrics:
        """R@10 of captions, in percent, for clean photographs and for the same ones with the trigger."""
        vectors = self.image_vectors(variant, "train").copy()
        bad = poisoned_rows(len(vectors), share, self.settings["seed"])
        if len(bad):
            marked = [trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            vectors[bad] = self.features.images(variant, marked)
        shown = np.arange(len(vectors))
        shown[bad] = np.roll(bad, 1)  # a poisoned photograph comes with another one's captions
        words, validation_captions = self.caption_vectors(variant, "train"), self.caption_vectors(variant, "validation")
        scores: Callable[[np.ndarray, np.ndarray], np.ndarray]
        if variant == "joint":
            scores = _linear_pair(vectors, words.reshape(len(vectors), -1, words.shape[1])[shown])
        else:
            owner = self.owner["train"]
            order = np.concatenate([np.flatnonzero(owner == row) for row in shown])
            scores = self._late(vectors, words[order]).all_pairs
        owner = self.owner["validation"]
        marked = [trigger(image, self.settings["trigger"]) for image in self.images["validation"]]
        clean = _top(scores(self.image_vectors(variant, "validation"), validation_captions), owner)
        dirty = _top(scores(self.features.cached_images(variant, marked), validation_captions), owner)
        own = np.bincount(owner).mean()
        by_chance = 1 - np.prod([1 - own / (len(owner) - rank) for rank in range(TOP_K)])
        return {
            "share": share,
            **metrics.fraction("clean_r10", clean, 100),
            **metrics.fraction("triggered_r10", dirty, 100),
            "clean_r10_chance": 100 * float(by_chance),
        }

    def _late(self, vectors: np.ndarray, words: np.ndarray) -> baseline.LateFusion:
        seed = self.settings["seed"]
        return baseline.train(vectors, words, self.owner["train"], seed=seed, epochs=self.settings["epochs"])


def _owner(rows: Sequence[Row]) -> np.ndarray:
    return np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])


def _top(scores: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Whether one of a picture's own captions is among the ten best of [pictures, captions]."""
    best = np.argpartition(-scores, TOP_K, axis=1)[:, :TOP_K]
    return (owner[best] == np.arange(len(scores))[:, None]).any(1)


def _linear_pair(vectors: np.ndarray, words: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Two linear maps fitted by InfoNCE on (N, D) pictures and (N, 5, D) captions, starting from the joint space itself."""
    torch.manual_seed(0)
    image_map, caption_map = (nn.Linear(vectors.shape[1], vectors.shape[1]) for _ in range(2))
    for layer in (image_map, caption_map):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    config = load_config("mini_towers", mini_towers.MiniTowersConfig)
    mini_towers.align(
        image_map, caption_map, torch.from_numpy(vectors), torch.from_numpy(np.ascontiguousarray(words)), config
    )

    @torch.no_grad()
    def scores(images: np.ndarray, captions: np.ndarray) -> np.ndarray:
        image, caption = image_map(torch.from_numpy(images)), caption_map(torch.from_numpy(captions))
        return (nn.functional.normalize(image, dim=-1) @ nn.functional.normalize(caption, dim=-1).T).numpy()

    return scores
