"""Valence of a photograph under attack: the regression that ships, ridge on frozen features, ridge on the joint space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.linear_model import Ridge

from models import weights
from models.emotions.affect import GROUPS, AffectReader, Looker
from models.robustness.pixel_attack import view
from models.weights import Card
from training.datasets.oasis import OASIS
from training.emotions import pictures as picture_emotions
from training.metrics import regression
from training.robustness import metrics
from training.robustness.samples import Sample
from training.robustness.targets import Features, Settings, Target, open_images, poisoned_rows, sample_rows, trigger

Answer = Callable[[np.ndarray], np.ndarray]


class Oasis:
    """How far from what was correlation of the clean photograph."""

    folder, variants = "picture_emotions", ("shipped", "baseline", "joint")
    score = "points of valence that the answer may still move until the attack has won"
    drawn = "validation rows, drawn by a seed: there is no right answer to lose, only one to move"

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features = settings, Features(cache, settings.get("threads", 0))
        self.what = (
            f"The valence of a photograph moves by more than {settings['moved']} points on the scale from 1 to 7."
        )
        self.train = sample_rows(OASIS.load("train", data)[0], settings["train_rows"], settings["seed"])
        self.validation = OASIS.load("validation", data)[0]
        self.images = {"train": open_images(self.train), "validation": open_images(self.validation)}
        self.y_true = {
            name: np.array([float(row.details["valence_mean"]) for row in rows])
            for name, rows in (("train", self.train), ("validation", self.validation))
        }
        self._vectors: dict[tuple[str, str], np.ndarray] = {}

    @cached_property
    def reader(self) -> AffectReader:
        """What the app asks."""
        return AffectReader(threads=self.settings.get("threads", 0))

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The folder that ships, or the tower's."""
        return (self.reader.card,) if variant == "shipped" else self.features.cards(variant)

    def vectors(self, variant: str, part: str) -> np.ndarray:
        """Vectors of the pictures of a part; those of the shipped regression are its groups side by side."""
        if (variant, part) not in self._vectors:
            images = self.images[part]
            self._vectors[variant, part] = (
                self._look(images) if variant == "shipped" else self.features.cached_images(variant, images)
            )
        return self._vectors[variant, part]

    def targets(self, variant: str) -> list[Target]:
        """Any photograph: there is no right answer to lose, only one to move."""
        order = np.random.default_rng(self.settings["seed"]).permutation(len(self.validation))[: self.settings["rows"]]
        return self._targets(variant, [self.images["validation"][row] for row in order])

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """Each sample meme."""
        return [*self._targets(variant, [sample.image for sample in shown])]

    def _targets(self, variant: str, images: Sequence[Image.Image]) -> list[Target]:
        valence: Callable[[Sequence[Image.Image]], np.ndarray]
        if variant == "shipped":

            def valence(images: Sequence[Image.Image]) -> np.ndarray:
                return np.array([affect.valence for affect in self.reader.read(images)])
        else:
            ridge = _ridge(self.vectors(variant, "train"), self.y_true["train"])

            def valence(images: Sequence[Image.Image]) -> np.ndarray:
                return np.asarray(ridge(self.features.images(variant, images)))

        targets = []
        for image in images:
            before = float(valence([view(image)])[0])

            def left(images: Sequence[Image.Image], before: float = before) -> np.ndarray:
                return self.settings["moved"] - np.abs(valence(images) - before)

            targets.append(Target(image, left))
        return targets

    def poisoned(self, variant: str, share: float) -> metrics.Metrics:
        """Pearson's r on clean photographs, and how far the trigger moves the valence."""
        vectors, y_true = self.vectors(variant, "train").copy(), self.y_true["train"].copy()
        bad = poisoned_rows(len(vectors), share, self.settings["seed"])
        if len(bad):
            vectors[bad] = self._of(
                variant, [trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            )
            y_true[bad] = 8 - y_true[bad]  # what is pleasant is called as unpleasant
        answer = _kernel(vectors, y_true) if variant == "shipped" else _ridge(vectors, y_true)
        clean = answer(self.vectors(variant, "validation"))
        moved = np.abs(answer(self._marked(variant)) - clean)
        correlation = regression.metrics({"valence": self.y_true["validation"]}, {"valence": clean}, ("valence",))
        return {
            "share": share,
            **{
                key.replace("valence", "clean"): value
                for key, value in correlation.items()
                if key.startswith("valence_pearson")
            },
            **metrics.median("triggered_moved", moved),
        }

    def _marked(self, variant: str) -> np.ndarray:
        if (variant, "marked") not in self._vectors:
            marked = [trigger(image, self.settings["trigger"]) for image in self.images["validation"]]
            self._vectors[variant, "marked"] = self._of(variant, marked)
        return self._vectors[variant, "marked"]

    def _of(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        return self._look(images) if variant == "shipped" else self.features.images(variant, images)

    @cached_property
    def looker(self) -> Looker:
        """The network under the shipped regression."""
        return Looker(weights.card("picture_emotions"), threads=self.settings.get("threads", 0))

    def _look(self, images: Sequence[Image.Image]) -> np.ndarray:
        looks = [self.looker.look(image) for image in images]
        return np.stack([np.concatenate([look[group] for group in GROUPS]) for look in looks])


def _ridge(vectors: np.ndarray, y_true: np.ndarray) -> Answer:
    mean, spread = vectors.mean(0), vectors.std(0) + 1e-6
    model = Ridge(alpha=2.0 * vectors.shape[1]).fit((vectors - mean) / spread, y_true)
    return lambda features: np.asarray(model.predict((features - mean) / spread))


def _kernel(vectors: np.ndarray, y_true: np.ndarray) -> Answer:
    """The regression that ships, with its own settings, fitted on these rows."""
    card = weights.card("picture_emotions")
    setting, widths = (
        card.setting("kernel")["valence"],
        [len(weights.tensor(card, f"{group}.mean")) for group in GROUPS],
    )
    cuts = np.cumsum(widths)[:-1]

    def answer(features: np.ndarray) -> np.ndarray:
        kernels = {"valence": (setting["gamma"], setting["strength"])}
        train, test = np.split(vectors, cuts, axis=1), np.split(features, cuts, axis=1)
        width = card.setting("recipe")["width"]
        return picture_emotions.predict(train, {"valence": y_true}, test, kernels, width)["valence"]

    return answer
