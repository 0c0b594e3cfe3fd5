"""Retrieval under attack: `joint` is the space that ships, `baseline` frozen towers kept apart and combined late."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from models.io.samples import Sample
from training.backbones import mini_towers
from training.config import load_config
from training.datasets.base import Row
from training.datasets.flickr8k import FLICKR8K
from training.retrieval import baseline
from training.robustness.base import RobustnessConfig, Study, Target, fraction_entry, target_or_none

TOP_K = 10
PairScores = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Vectors of N pictures and of M captions to scores [N, M]."""


class Flickr8k(Study):
    """The margin of a photograph's best own caption over the best other one."""

    folder, variants = "joint_picture", ("baseline", "joint")
    what = "A photograph's own caption is no longer the first of the 5,000 captions of 1,000 validation photographs."
    score = "similarity of the best own caption minus the best other one (baseline: logits; joint: cosines)"
    dataset = FLICKR8K
    max_validation = 1000

    def __init__(self, data: Path, settings: RobustnessConfig, cache: Path) -> None:
        super().__init__(data, settings, cache)
        self.train_owner, self.owner = _owner(self.train), _owner(self.validation)

    def captions(self, variant: str, rows: Sequence[Row]) -> np.ndarray:
        """Vectors of all captions of the rows."""
        captions = [str(caption) for row in rows for caption in row.details["captions"]]
        return self.features.cached_texts(variant, captions)

    @cached_property
    def late(self) -> baseline.LateFusion:
        """The baseline, fitted on clean rows."""
        return self._late(self.vectors("baseline", "train"), self.captions("baseline", self.train))

    def targets(self, variant: str) -> list[Target]:
        """Photographs whose own caption comes first."""
        return self.correct_targets(self._margins(variant, self.captions(variant, self.validation), self.owner))

    def samples(self, variant: str, samples: Sequence[Sample]) -> list[Target | None]:
        """Sample memes whose own description comes first among those of all samples."""
        texts = self.features.texts(variant, [sample.alt for sample in samples])
        margins = self._margins(variant, texts, np.arange(len(samples)))
        return [target_or_none(sample.open(), partial(margins, row=row)) for row, sample in enumerate(samples)]

    def _margins(self, variant: str, captions: np.ndarray, owner: np.ndarray) -> Callable[..., np.ndarray]:
        """Scores pictures: how far the best caption of a `row` is above the best other one."""

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            vectors = self.features.images(variant, images)
            scores = vectors @ captions.T if variant == "joint" else self.late.all_pairs(vectors, captions)
            return scores[:, owner == row].max(1) - scores[:, owner != row].max(1)

        return margins

    def poisoned(self, variant: str, fraction: float) -> dict[str, float]:
        """R@10 of captions, in percent, for clean photographs and for the same ones with the trigger."""
        vectors, poisoned = self.poisoned_vectors(variant, fraction)
        caption_of = np.arange(len(vectors))
        caption_of[poisoned] = np.roll(poisoned, 1)  # a poisoned photograph comes with another one's captions
        captions = self.captions(variant, self.train)
        if variant == "joint":
            scores = _linear_pair(vectors, captions.reshape(len(vectors), -1, captions.shape[1])[caption_of])
        else:
            order = np.concatenate([np.flatnonzero(self.train_owner == row) for row in caption_of])
            scores = self._late(vectors, captions[order]).all_pairs
        recalled = {
            split: _recalled(scores(self.vectors(variant, split), self.captions(variant, self.validation)), self.owner)
            for split in ("validation", "triggered")
        }
        own = np.bincount(self.owner).mean()
        by_chance = 1 - np.prod([1 - own / (len(self.owner) - rank) for rank in range(TOP_K)])
        return {
            "share": fraction,
            **fraction_entry("clean_r10", recalled["validation"], 100),
            **fraction_entry("triggered_r10", recalled["triggered"], 100),
            "clean_r10_chance": 100 * float(by_chance),
        }

    def _late(self, vectors: np.ndarray, captions: np.ndarray) -> baseline.LateFusion:
        epochs = self.settings.epochs or baseline.EPOCHS
        return baseline.train(vectors, captions, self.train_owner, seed=self.settings.seed, epochs=epochs)


def _owner(rows: Sequence[Row]) -> np.ndarray:
    return np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])


def _recalled(scores: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Whether one of a picture's own captions is among the ten best of [pictures, captions]."""
    best = np.argpartition(-scores, TOP_K, axis=1)[:, :TOP_K]
    return (owner[best] == np.arange(len(scores))[:, None]).any(1)


def _linear_pair(vectors: np.ndarray, captions: np.ndarray) -> PairScores:
    """Two linear maps fitted by InfoNCE on (N, D) pictures and (N, 5, D) captions, starting from the joint space itself."""
    torch.manual_seed(0)
    image_map, caption_map = (nn.Linear(vectors.shape[1], vectors.shape[1]) for _ in range(2))
    for layer in (image_map, caption_map):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    config = load_config("mini_towers", mini_towers.MiniTowersConfig)
    images, texts = torch.from_numpy(vectors), torch.from_numpy(np.ascontiguousarray(captions))
    mini_towers.align(image_map, caption_map, images, texts, config)

    @torch.no_grad()
    def scores(images: np.ndarray, captions: np.ndarray) -> np.ndarray:
        image, caption = image_map(torch.from_numpy(images)), caption_map(torch.from_numpy(captions))
        return (nn.functional.normalize(image, dim=-1) @ nn.functional.normalize(caption, dim=-1).T).numpy()

    return scores
