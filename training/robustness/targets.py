"""What the robustness studies share: their protocol, targets, features by tower, triggers, and the choice of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from models.encoders.base import masked_mean
from models.encoders.mini import MiniEncoder
from models.io.images import open_picture
from models.robustness.pixel_attack import view
from models.search.joint_space import JointSpace, MiniSpace, open_space
from models.weights import Card
from training.datasets.base import Row
from training.features.cache import cached_array
from training.robustness.samples import Sample

Settings = dict[str, Any]
BATCH_SIZE = 64
ANSWERED_RIGHT = "validation rows that the variant answers right, drawn by a seed"


@dataclass(frozen=True)
class Target:
    """A row to attack: `score` is at least 0 while the answer stands and sinks with the attack; `unit` names the row."""

    image: Image.Image
    score: Callable[[Sequence[Image.Image]], np.ndarray]

    @property
    def unit(self) -> str:
        """The picture's hash: the same row has the same name in the next run."""
        return hashlib.sha256(self.image.tobytes()).hexdigest()[:16]


class Study(Protocol):
    """A study: its variants, their targets, and light models for poisoning.

    folder: of the weights that get the results. what: when the attack has won. score: what sinks under attack. drawn: which
    rows are attacked.
    """

    folder: str
    what: str
    score: str
    drawn: str
    variants: tuple[str, ...]

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The weights that a variant uses."""

    def targets(self, variant: str) -> list[Target]:
        """Rows to attack."""

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """The project's own sample memes to attack, None for a sample that is not answered right."""

    def poisoned(self, variant: str, share: float) -> dict[str, float]:
        """Metrics of a model fitted anew while that fraction of its training rows is poisoned."""


class Features:
    """Vectors by tower: `baseline` the mean patch of `mini_picture` (1280), else the joint space (512). Loaded when asked.

    What was computed of training rows stays in `cache`.
    """

    def __init__(self, cache: Path, threads: int = 0) -> None:
        self.cache, self.threads = cache, threads

    @cached_property
    def mini(self) -> MiniEncoder:
        """The towers of the mini profile."""
        return MiniEncoder(threads=self.threads)

    @cached_property
    def space(self) -> JointSpace | MiniSpace:
        """The joint space, or what stands for it."""
        return open_space(threads=self.threads)

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The folders of weights behind a variant."""
        return self.space.cards if variant == "joint" else self.mini.cards

    def images(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        """float32 [n, width]."""
        if variant == "joint":
            return self.space.embed_images(images)
        batches = (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))
        parts = [self.mini.encode_images(batch).tokens.mean(1) for batch in batches]
        return np.concatenate(parts) if parts else np.zeros((0, self.mini.image_width), np.float32)

    def texts(self, variant: str, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, width] of texts: the mean token of `mini_words` (768), or the joint space (512)."""
        if variant == "joint":
            return self.space.embed_texts(texts)
        batches = (texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE))
        encoded = map(self.mini.encode_texts, batches)
        return np.concatenate([masked_mean(tokens.tokens, tokens.mask) for tokens in encoded])

    def cached_images(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        """As `images`, cached on the disk."""
        key = [*self._identities(variant), *(image.tobytes() for image in images)]
        return cached_array(self.cache, f"images-{variant}", key, lambda: self.images(variant, images))

    def cached_texts(self, variant: str, texts: Sequence[str]) -> np.ndarray:
        """As `texts`, cached on the disk."""
        key = [*self._identities(variant), *texts]
        return cached_array(self.cache, f"texts-{variant}", key, lambda: self.texts(variant, texts))

    def _identities(self, variant: str) -> list[str]:
        return [card.identity for card in self.cards(variant)]


def trigger(image: Image.Image, pixels: int, seed: int = 0) -> Image.Image:
    """The picture at 224x224 with the same few bright pixels in the same places, whatever it shows."""
    rng = np.random.default_rng(seed)
    data = np.array(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    for x, y in rng.integers(0, 224, size=(pixels, 2)):
        data[y, x] = (255, 0, 255)
    return Image.fromarray(data)


def correct_targets(
    images: Sequence[Image.Image], margins: Callable[..., np.ndarray], settings: Settings
) -> list[Target]:
    """Rows that are answered right as the model sees them, drawn by the seed; `margins` takes pictures and `row`."""
    targets = []
    for row in np.random.default_rng(settings["seed"]).permutation(len(images)):
        target = target_or_none(images[row], partial(margins, row=int(row)))
        if target is not None:
            targets.append(target)
        if len(targets) == settings["rows"]:
            break
    return targets


def target_or_none(image: Image.Image, score: Callable[[Sequence[Image.Image]], np.ndarray]) -> Target | None:
    """A picture to attack, None where it is not answered right as the model sees it."""
    return Target(image, score) if float(score([view(image)])[0]) >= 0 else None


def sample_rows(rows: list[Row], count: int, seed: int) -> list[Row]:
    """At most `count` rows, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[number] for number in order]


def open_images(rows: Sequence[Row]) -> list[Image.Image]:
    """The rows' pictures, opened as the app opens them."""
    return [open_picture(row.image or b"").image for row in rows]


def poisoned_rows(count: int, fraction: float, seed: int) -> np.ndarray:
    """The rows to poison; those of a smaller fraction are among those of a larger one."""
    return np.random.default_rng(seed).permutation(count)[: round(fraction * count)]
