"""What the tasks of the robustness study share: targets, features by tower, triggers, and which rows are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.encoders.mini import MiniEncoder
from models.io.images import open_picture
from models.robustness.pixel_attack import view
from models.search.joint_space import JointSpace, MiniSpace, open_space
from models.weights import Card
from training.datasets.base import Row
from training.robustness.results_cache import remembered

Settings = dict[str, Any]
AT_ONCE = 64
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

    def of(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        """float32 [n, width]."""
        if variant == "joint":
            return self.space.embed_images(images)
        parts = [
            self.mini.encode_images(images[at : at + AT_ONCE]).tokens.mean(1) for at in range(0, len(images), AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.mini.image_width), np.float32)

    def words(self, variant: str, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, width] of texts: the mean token of `mini_words` (768), or the joint space (512)."""
        if variant == "joint":
            return self.space.embed_texts(texts)
        parts = []
        for at in range(0, len(texts), AT_ONCE):
            found = self.mini.encode_texts(texts[at : at + AT_ONCE])
            parts.append(
                (found.tokens * found.mask[..., None]).sum(1) / np.maximum(found.mask.sum(1, keepdims=True), 1)
            )
        return np.concatenate(parts)

    def kept_of(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        """As `of`, kept on the disk."""
        said = b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
        return remembered(
            self.cache, f"pictures-{variant}", self._made_by(variant) + said, lambda: self.of(variant, images)
        )

    def kept_words(self, variant: str, texts: Sequence[str]) -> np.ndarray:
        """As `words`, kept on the disk."""
        said = "\0".join(texts).encode()
        return remembered(
            self.cache, f"words-{variant}", self._made_by(variant) + said, lambda: self.words(variant, texts)
        )

    def _made_by(self, variant: str) -> bytes:
        return "".join(card.identity for card in self.cards(variant)).encode()


def trigger(image: Image.Image, pixels: int, seed: int = 0) -> Image.Image:
    """The picture at 224x224 with the same few bright pixels in the same places, whatever it shows."""
    rng = np.random.default_rng(seed)
    data = np.array(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    for x, y in rng.integers(0, 224, size=(pixels, 2)):
        data[y, x] = (255, 0, 255)
    return Image.fromarray(data)


def right(images: Sequence[Image.Image], margins: Callable[..., np.ndarray], settings: Settings) -> list[Target]:
    """Rows that are answered right as the model sees them, drawn by the seed; `margins` takes pictures and `row`."""
    found = []
    for row in np.random.default_rng(settings["seed"]).permutation(len(images)):
        target = standing(images[row], partial(margins, row=int(row)))
        if target is not None:
            found.append(target)
        if len(found) == settings["rows"]:
            break
    return found


def standing(image: Image.Image, score: Callable[[Sequence[Image.Image]], np.ndarray]) -> Target | None:
    """A picture to attack, None where it is not answered right as the model sees it."""
    return Target(image, score) if float(score([view(image)])[0]) >= 0 else None


def some(rows: list[Row], count: int, seed: int) -> list[Row]:
    """At most `count` rows, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[at] for at in order]


def pictures(rows: Sequence[Row]) -> list[Image.Image]:
    """The rows' pictures, opened as the app opens them."""
    return [open_picture(row.image or b"").image for row in rows]


def chosen(count: int, share: float, seed: int) -> np.ndarray:
    """The rows to poison; those of a smaller share are among those of a larger one."""
    return np.random.default_rng(seed).permutation(count)[: round(share * count)]
