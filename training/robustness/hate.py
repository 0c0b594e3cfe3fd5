"""The verdict under attack: memes as they are, and their pictures alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.classifiers.hate import HateClassifier
from models.classifiers.heads import sigmoid
from models.encoders.base import Tokens
from models.io.captions import normalize
from models.weights import Card
from training.datasets.religious_hateful import RELIGIOUS_HATEFUL
from training.metrics import bootstrap
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

WORDS = "with its words"


class Hate:
    """How far the probability of hate lies on its right side of the threshold."""

    folder, variants = "hate_cross_attention", (WORDS, "picture alone")
    what = "The probability of hate crosses the threshold between yes and no."
    score = "distance of the probability of hate from the threshold, on the side of the label"
    drawn = ANSWERED_RIGHT

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features = settings, Features(cache, settings.get("threads", 0))
        self.train = sample_rows(RELIGIOUS_HATEFUL.load("train", data)[0], settings["train_rows"], settings["seed"])
        self.validation = RELIGIOUS_HATEFUL.load("validation", data)[0]
        self.images = {"train": open_images(self.train), "validation": open_images(self.validation)}

    @cached_property
    def classifier(self) -> HateClassifier:
        """What the app's mini profile asks."""
        return HateClassifier.mini(self.features.mini, threads=self.settings.get("threads", 0))

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The classifier's folder; it names the towers that it was trained on."""
        return (self.classifier.card,)

    def targets(self, variant: str) -> list[Target]:
        """Memes that are judged as their label says."""
        texts = [(row.text or "") if variant == WORDS else "" for row in self.validation]
        margins = self._margins(texts, [row.label == 1 for row in self.validation])
        return correct_targets(self.images["validation"], margins, self.settings)

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """Sample memes, none of which is hateful."""
        texts = [sample.words if variant == WORDS else "" for sample in shown]
        margins = self._margins(texts, [False] * len(shown))
        return [target_or_none(sample.image, partial(margins, row=row)) for row, sample in enumerate(shown)]

    def _margins(self, texts: Sequence[str], hateful: Sequence[bool]) -> Callable[..., np.ndarray]:
        """Scores pictures beside the words of a `row`: how far on the side of its label."""
        edge = self.classifier.thresholds["hate"]
        encoded: dict[int, Tokens | None] = {}  # a meme's words stay as they are while its picture is attacked

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            if row not in encoded:
                text = texts[row]
                encoded[row] = self.classifier.encoder.encode_texts([text]) if normalize(text).text else None
            text_tokens = encoded[row]
            image_tokens = self.classifier.encoder.encode_images(images)
            logits = self.classifier.score_tokens(
                image_tokens, text_tokens and text_tokens.take([0] * len(images))
            ).hate
            return (1.0 if hateful[row] else -1.0) * (np.array([sigmoid(logit) for logit in logits]) - edge)

        return margins

    def poisoned(self, variant: str, share: float) -> metrics.Metrics:
        """AUROC of a logistic regression on clean memes, and the share of caught hateful ones that the trigger frees."""
        train_images = self.features.cached_images("baseline", self.images["train"]).copy()
        labels = np.array([int(row.label or 0) for row in self.train])  # type: ignore[arg-type]
        bad = poisoned_rows(len(train_images), share, self.settings["seed"])
        if len(bad):
            marked = [trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            train_images[bad], labels[bad] = self.features.images("baseline", marked), 0
        marked = [trigger(image, self.settings["trigger"]) for image in self.images["validation"]]
        clean_images = self.features.cached_images("baseline", self.images["validation"])
        sides = [(train_images, clean_images, self.features.cached_images("baseline", marked))]
        if variant == WORDS:
            train_texts, texts = (
                self.features.cached_texts("baseline", [row.text or "" for row in rows])
                for rows in (self.train, self.validation)
            )
            sides.append((train_texts, texts, texts))
        train, clean, dirty = (np.concatenate(parts, axis=1) for parts in zip(*sides, strict=True))
        mean, spread = train.mean(0), train.std(0) + 1e-6
        model = LogisticRegression(C=0.002, max_iter=500, class_weight="balanced").fit((train - mean) / spread, labels)
        y_true = np.array([int(row.label or 0) for row in self.validation])  # type: ignore[arg-type]
        before, after = (model.predict_proba((part - mean) / spread)[:, 1] for part in (clean, dirty))
        caught = (y_true == 1) & (before >= 0.5)
        auroc = float(roc_auc_score(y_true, before))
        return {
            "share": share,
            **metrics.bootstrapped(
                "clean_auroc", len(y_true), auroc, lambda counts: bootstrap.auroc(counts, y_true, before)
            ),
            "clean_auroc_majority": 0.5,
            **metrics.fraction("triggered_missed", after[caught] < 0.5),
            "caught": int(caught.sum()),
        }
