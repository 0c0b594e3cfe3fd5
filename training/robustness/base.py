"""What the robustness studies share: settings, rows, targets, features by tower, the trigger, and metrics with intervals."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from models import weights
from models.emotions.affect import GROUPS, FeatureExtractor
from models.encoders.base import masked_mean
from models.encoders.mini import MiniEncoder
from models.io.images import open_picture
from models.io.samples import Sample
from models.robustness.pixel_attack import Score, view
from models.search.joint_space import JointSpace, MiniSpace, open_space
from models.weights import Card
from training.config import Config
from training.datasets.base import Dataset
from training.features.cache import cached_array
from training.metrics import bootstrap
from training.metrics.intervals import metric_entry, wilson_interval

BATCH_SIZE = 64


@dataclass(frozen=True, kw_only=True)
class RobustnessConfig(Config):
    """Settings of a study, `configs/robustness_*.toml`.

    rows: how many are attacked. pixels: numbers of pixels. queries: scored pictures for each, `candidates` at a time.
    give_up: a search ends after half of its queries if the score has not sunk by this fraction. train_rows: for poisoning.
    shares: poisoned fractions of them. trigger: its pixels. epochs: of the retrieval baseline. moved: points of valence from
    which the attack has won. only: other settings by variant. threads: of the networks, 0 for one a core.
    """

    task: str
    rows: int
    pixels: tuple[int, ...]
    queries: int
    candidates: int
    give_up: float
    seed: int
    train_rows: int
    epochs: int | None = None
    shares: tuple[float, ...]
    trigger: int
    moved: float | None = None
    only: dict[str, dict[str, int]] = field(default_factory=dict)
    threads: int = 0


@dataclass(frozen=True)
class Target:
    """A row to attack: `score` is at least 0 while the answer stands and sinks with the attack; `unit` names the row."""

    image: Image.Image
    score: Score

    @property
    def unit(self) -> str:
        """The picture's hash: the same row has the same name in the next run."""
        return hashlib.sha256(self.image.tobytes()).hexdigest()[:16]


class Features:
    """Vectors by tower, each loaded at its first use; those of whole splits are cached in the folder `cache`.

    `shipped`: the groups of `picture_emotions` side by side. `joint`: the joint space (512). `baseline`: the mean patch of
    `mini_picture` (1280) or the mean token of `mini_words` (768).
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

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The network under the shipped regression of emotions in pictures."""
        return FeatureExtractor(weights.card("picture_emotions"), threads=self.threads)

    def cards(self, tower: str) -> tuple[Card, ...]:
        """The folders of weights behind a tower."""
        if tower == "shipped":
            return (weights.card("picture_emotions"),)
        return self.space.cards if tower == "joint" else self.mini.cards

    def images(self, tower: str, images: Sequence[Image.Image]) -> np.ndarray:
        """float32 [n, width] of pictures."""
        if tower == "joint":
            return self.space.embed_images(images)
        if tower == "shipped":
            looks = map(self.extractor.extract, images)
            return np.stack([np.concatenate([look[group] for group in GROUPS]) for look in looks])
        batches = (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))
        vectors = [self.mini.encode_images(batch).tokens.mean(1) for batch in batches]
        return np.concatenate(vectors) if vectors else np.zeros((0, self.mini.image_width), np.float32)

    def texts(self, tower: str, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, width] of texts."""
        if tower == "joint":
            return self.space.embed_texts(texts)
        batches = (texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE))
        encoded = map(self.mini.encode_texts, batches)
        return np.concatenate([masked_mean(tokens.tokens, tokens.mask) for tokens in encoded])

    def cached_images(self, tower: str, images: Sequence[Image.Image]) -> np.ndarray:
        """As `images`, cached on the disk."""
        key: list[str | bytes] = [card.identity for card in self.cards(tower)]
        key += [image.tobytes() for image in images]
        return cached_array(self.cache, f"images-{tower}", key, lambda: self.images(tower, images))

    def cached_texts(self, tower: str, texts: Sequence[str]) -> np.ndarray:
        """As `texts`, cached on the disk."""
        key = [*(card.identity for card in self.cards(tower)), *texts]
        return cached_array(self.cache, f"texts-{tower}", key, lambda: self.texts(tower, texts))


class Study(ABC):
    """A study: its variants, their targets, and light models for poisoning.

    folder: of the weights that get the results. what: when the attack has won. score: what sinks under attack. drawn: which
    rows are attacked. max_validation: how many validation rows are used, None for all.
    """

    folder: str
    what: str
    score: str
    drawn = "validation rows that the variant answers right, drawn by a seed"
    variants: tuple[str, ...]
    dataset: ClassVar[Dataset]
    max_validation: int | None = None

    def __init__(self, data: Path, settings: RobustnessConfig, cache: Path) -> None:
        self.settings, self.features = settings, Features(cache, settings.threads)
        rows = self.dataset.load("train", data)[0]
        order = np.random.default_rng(settings.seed).permutation(len(rows))[: settings.train_rows]
        self.train = [rows[number] for number in order]
        self.validation = self.dataset.load("validation", data)[0][: self.max_validation]
        self.images = {
            split: [open_picture(row.image or b"").image for row in split_rows]
            for split, split_rows in (("train", self.train), ("validation", self.validation))
        }
        self.images["triggered"] = [trigger(image, settings.trigger) for image in self.images["validation"]]

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The weights that a variant uses."""
        return self.features.cards(variant)

    @abstractmethod
    def targets(self, variant: str) -> list[Target]:
        """Rows to attack."""

    @abstractmethod
    def samples(self, variant: str, samples: Sequence[Sample]) -> list[Target | None]:
        """The project's own sample memes to attack, None for a sample that is not answered right."""

    @abstractmethod
    def poisoned(self, variant: str, fraction: float) -> dict[str, float]:
        """Metrics of a model fitted anew while that fraction of its training rows is poisoned."""

    def vectors(self, tower: str, split: str) -> np.ndarray:
        """Vectors of the pictures `train`, `validation`, or `triggered` (the validation pictures with the trigger)."""
        return self.features.cached_images(tower, self.images[split])

    def poisoned_vectors(self, tower: str, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of the training pictures, of which that fraction has the trigger, and the numbers of those rows."""
        vectors = self.vectors(tower, "train").copy()
        poisoned = poisoned_rows(len(vectors), fraction, self.settings.seed)
        if len(poisoned):
            triggered = [trigger(self.images["train"][row], self.settings.trigger) for row in poisoned]
            vectors[poisoned] = self.features.images(tower, triggered)
        return vectors, poisoned

    def correct_targets(self, margins: Callable[..., np.ndarray]) -> list[Target]:
        """Validation rows that are answered right, drawn by the seed; `margins` takes pictures and `row`."""
        order = np.random.default_rng(self.settings.seed).permutation(len(self.validation)).tolist()
        targets = (target_or_none(self.images["validation"][row], partial(margins, row=row)) for row in order)
        return list(islice(filter(None, targets), self.settings.rows))


def target_or_none(image: Image.Image, score: Score) -> Target | None:
    """A picture to attack, None where it is not answered right as the model sees it."""
    return Target(image, score) if float(score([view(image)])[0]) >= 0 else None


def trigger(image: Image.Image, pixels: int) -> Image.Image:
    """The picture at 224x224 with the same few bright pixels in the same places, whatever it shows."""
    data = np.array(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    for x, y in np.random.default_rng(0).integers(0, 224, size=(pixels, 2)):
        data[y, x] = (255, 0, 255)
    return Image.fromarray(data)


def poisoned_rows(count: int, fraction: float, seed: int) -> np.ndarray:
    """The rows to poison; those of a smaller fraction are among those of a larger one."""
    return np.random.default_rng(seed).permutation(count)[: round(fraction * count)]


def fraction_entry(name: str, hits: Sequence[bool] | np.ndarray, scale: float = 1.0) -> dict[str, float]:
    """A fraction with its Wilson interval, NaN of nothing; `scale` 100 gives percent."""
    count, successes = len(hits), int(np.sum(hits))
    low, high = wilson_interval(successes, count)
    value = successes / count if count else float("nan")
    return {name: scale * value, f"{name}_low": scale * low, f"{name}_high": scale * high}


def median_entry(name: str, values: np.ndarray) -> dict[str, float]:
    """A median with its interval, NaN of nothing."""
    if not len(values):
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
    samples = np.random.default_rng(bootstrap.SEED).integers(len(values), size=(bootstrap.RESAMPLES, len(values)))
    return metric_entry(name, float(np.median(values)), np.median(values[samples], axis=1))
