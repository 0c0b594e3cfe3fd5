"""Valence of a photograph under attack: the regression that ships, ridge on frozen features, ridge on the joint space."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.linear_model import Ridge

from models import weights
from models.emotions.affect import GROUPS, AffectReader
from models.io.samples import Sample
from models.robustness.pixel_attack import Score, view
from training.datasets.oasis import OASIS
from training.emotions import pictures as picture_emotions
from training.metrics import regression
from training.robustness.base import RobustnessConfig, Study, Target, median_entry


class Oasis(Study):
    """How far from that of the clean photograph the valence is."""

    folder, variants = "picture_emotions", ("shipped", "baseline", "joint")
    score = "points of valence that the answer may still move until the attack has won"
    drawn = "validation rows, drawn by a seed: there is no right answer to lose, only one to move"
    dataset = OASIS

    def __init__(self, data: Path, settings: RobustnessConfig, cache: Path) -> None:
        super().__init__(data, settings, cache)
        self.moved = float(settings.moved or 0)
        self.what = f"The valence of a photograph moves by more than {settings.moved} points on the scale from 1 to 7."
        self.train_valence, self.valence = (
            np.array([float(row.details["valence_mean"]) for row in rows]) for rows in (self.train, self.validation)
        )

    @cached_property
    def reader(self) -> AffectReader:
        """The regression as the app uses it."""
        return AffectReader(threads=self.settings.threads)

    def targets(self, variant: str) -> list[Target]:
        """Any photograph: there is no right answer to lose, only one to move."""
        order = np.random.default_rng(self.settings.seed).permutation(len(self.validation))[: self.settings.rows]
        return self._targets(variant, [self.images["validation"][row] for row in order])

    def samples(self, variant: str, samples: Sequence[Sample]) -> list[Target | None]:
        """Each sample meme."""
        return [*self._targets(variant, [sample.open() for sample in samples])]

    def _targets(self, variant: str, images: Sequence[Image.Image]) -> list[Target]:
        ridge = None if variant == "shipped" else _ridge(self.vectors(variant, "train"), self.train_valence)

        def valence(images: Sequence[Image.Image]) -> np.ndarray:
            if ridge is None:
                return np.array([affect.valence for affect in self.reader.read(images)])
            return ridge(self.features.images(variant, images))

        def left(before: float) -> Score:
            return lambda images: self.moved - np.abs(valence(images) - before)

        return [Target(image, left(float(valence([view(image)])[0]))) for image in images]

    def poisoned(self, variant: str, fraction: float) -> dict[str, float]:
        """Pearson's r on clean photographs, and how far the trigger moves the valence."""
        vectors, poisoned = self.poisoned_vectors(variant, fraction)
        train_valence = self.train_valence.copy()
        train_valence[poisoned] = 8 - train_valence[poisoned]  # what is pleasant is called as unpleasant
        predict = (_kernel if variant == "shipped" else _ridge)(vectors, train_valence)
        clean = predict(self.vectors(variant, "validation"))
        moved = np.abs(predict(self.vectors(variant, "triggered")) - clean)
        correlation = regression.metrics({"clean": self.valence}, {"clean": clean}, ("clean",))
        return {
            "share": fraction,
            **{key: value for key, value in correlation.items() if key.startswith("clean_pearson")},
            **median_entry("triggered_moved", moved),
        }


def _ridge(vectors: np.ndarray, y_true: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    mean, spread = vectors.mean(0), vectors.std(0) + 1e-6
    model = Ridge(alpha=2.0 * vectors.shape[1]).fit((vectors - mean) / spread, y_true)
    return lambda features: np.asarray(model.predict((features - mean) / spread))


def _kernel(vectors: np.ndarray, y_true: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The regression that ships, with its own settings, fitted on these rows."""
    card = weights.card("picture_emotions")
    setting, width = card.setting("kernel")["valence"], card.setting("recipe")["width"]
    cuts = np.cumsum([len(weights.tensor(card, f"{group}.mean")) for group in GROUPS])[:-1]

    def predict(features: np.ndarray) -> np.ndarray:
        kernels = {"valence": (setting["gamma"], setting["strength"])}
        train, test = np.split(vectors, cuts, axis=1), np.split(features, cuts, axis=1)
        return picture_emotions.predict(train, {"valence": y_true}, test, kernels, width)["valence"]

    return predict
