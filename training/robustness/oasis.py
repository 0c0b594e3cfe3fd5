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
from training.robustness import metrics as figures
from training.robustness.samples import Sample
from training.robustness.targets import Features, Settings, Target, chosen, pictures, some, trigger

Answer = Callable[[np.ndarray], np.ndarray]


class Oasis:
    """How far from what was said of the clean photograph."""

    folder, variants = "picture_emotions", ("shipped", "baseline", "joint")
    score = "points of valence that the answer may still move until the attack has won"
    drawn = "validation rows, drawn by a seed: there is no right answer to lose, only one to move"

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features = settings, Features(cache, settings.get("threads", 0))
        self.what = (
            f"The valence of a photograph moves by more than {settings['moved']} points on the scale from 1 to 7."
        )
        self.train = some(OASIS.load("train", data)[0], settings["train_rows"], settings["seed"])
        self.held = OASIS.load("validation", data)[0]
        self.images = {"train": pictures(self.train), "held": pictures(self.held)}
        self.truth = {
            name: np.array([float(row.details["valence_mean"]) for row in rows])
            for name, rows in (("train", self.train), ("held", self.held))
        }
        self._seen: dict[tuple[str, str], np.ndarray] = {}

    @cached_property
    def reader(self) -> AffectReader:
        """What the app asks."""
        return AffectReader(threads=self.settings.get("threads", 0))

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The folder that ships, or the tower's."""
        return (self.reader.card,) if variant == "shipped" else self.features.cards(variant)

    def seen(self, variant: str, part: str) -> np.ndarray:
        """Vectors of the pictures of a part; those of the shipped regression are its groups side by side."""
        if (variant, part) not in self._seen:
            images = self.images[part]
            self._seen[variant, part] = (
                self._look(images) if variant == "shipped" else self.features.kept_of(variant, images)
            )
        return self._seen[variant, part]

    def targets(self, variant: str) -> list[Target]:
        """Any photograph: there is no right answer to lose, only one to move."""
        order = np.random.default_rng(self.settings["seed"]).permutation(len(self.held))[: self.settings["rows"]]
        return self._targets(variant, [self.images["held"][row] for row in order])

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """Each sample meme."""
        return [*self._targets(variant, [sample.image for sample in shown])]

    def _targets(self, variant: str, images: Sequence[Image.Image]) -> list[Target]:
        told: Callable[[Sequence[Image.Image]], np.ndarray]
        if variant == "shipped":

            def told(images: Sequence[Image.Image]) -> np.ndarray:
                return np.array([one.valence for one in self.reader.read(images)])
        else:
            ridge = _ridge(self.seen(variant, "train"), self.truth["train"])

            def told(images: Sequence[Image.Image]) -> np.ndarray:
                return np.asarray(ridge(self.features.of(variant, images)))

        found = []
        for image in images:
            before = float(told([view(image)])[0])

            def left(images: Sequence[Image.Image], before: float = before) -> np.ndarray:
                return self.settings["moved"] - np.abs(told(images) - before)

            found.append(Target(image, left))
        return found

    def poisoned(self, variant: str, share: float) -> figures.Figures:
        """Pearson's r on clean photographs, and how far the trigger moves the valence."""
        seen, truth = self.seen(variant, "train").copy(), self.truth["train"].copy()
        bad = chosen(len(seen), share, self.settings["seed"])
        if len(bad):
            seen[bad] = self._of(variant, [trigger(self.images["train"][row], self.settings["trigger"]) for row in bad])
            truth[bad] = 8 - truth[bad]  # what is pleasant is called as unpleasant
        answer = _kernel(seen, truth) if variant == "shipped" else _ridge(seen, truth)
        clean = answer(self.seen(variant, "held"))
        moved = np.abs(answer(self._marked(variant)) - clean)
        said = regression.metrics({"valence": self.truth["held"]}, {"valence": clean}, ("valence",))
        return {
            "share": share,
            **{
                key.replace("valence", "clean"): value
                for key, value in said.items()
                if key.startswith("valence_pearson")
            },
            **figures.median("triggered_moved", moved),
        }

    def _marked(self, variant: str) -> np.ndarray:
        if (variant, "marked") not in self._seen:
            marked = [trigger(image, self.settings["trigger"]) for image in self.images["held"]]
            self._seen[variant, "marked"] = self._of(variant, marked)
        return self._seen[variant, "marked"]

    def _of(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        return self._look(images) if variant == "shipped" else self.features.of(variant, images)

    @cached_property
    def looker(self) -> Looker:
        """The network under the shipped regression."""
        return Looker(weights.card("picture_emotions"), threads=self.settings.get("threads", 0))

    def _look(self, images: Sequence[Image.Image]) -> np.ndarray:
        found = [self.looker.look(image) for image in images]
        return np.stack([np.concatenate([one[group] for group in GROUPS]) for one in found])


def _ridge(seen: np.ndarray, truth: np.ndarray) -> Answer:
    mean, spread = seen.mean(0), seen.std(0) + 1e-6
    model = Ridge(alpha=2.0 * seen.shape[1]).fit((seen - mean) / spread, truth)
    return lambda asked: np.asarray(model.predict((asked - mean) / spread))


def _kernel(seen: np.ndarray, truth: np.ndarray) -> Answer:
    """The regression that ships, with its own settings, fitted on these rows."""
    card = weights.card("picture_emotions")
    setting, widths = (
        card.setting("kernel")["valence"],
        [len(weights.tensor(card, f"{group}.mean")) for group in GROUPS],
    )
    cuts = np.cumsum(widths)[:-1]

    def answer(asked: np.ndarray) -> np.ndarray:
        kernels = {"valence": (setting["gamma"], setting["strength"])}
        train, test = np.split(seen, cuts, axis=1), np.split(asked, cuts, axis=1)
        width = card.setting("recipe")["width"]
        return picture_emotions.predict(train, {"valence": truth}, test, kernels, width)["valence"]

    return answer
