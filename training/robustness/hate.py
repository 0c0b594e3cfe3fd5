"""The verdict under attack: memes as they are, and their pictures alone."""

from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.classifiers.hate import HateClassifier
from models.classifiers.heads import sigmoid
from models.encoders.base import Tokens
from models.io.captions import normalize
from models.io.samples import Sample
from models.weights import Card
from training.datasets.published import RELIGIOUS_HATEFUL
from training.metrics import bootstrap
from training.metrics.intervals import metric_entry
from training.robustness.base import Study, Target, fraction_entry, target_or_none

WITH_TEXT = "with its words"


class Hate(Study):
    """How far the probability of hate lies on its right side of the threshold."""

    folder, variants = "hate_cross_attention", (WITH_TEXT, "picture alone")
    what = "The probability of hate crosses the threshold between yes and no."
    score = "distance of the probability of hate from the threshold, on the side of the label"
    dataset = RELIGIOUS_HATEFUL

    @cached_property
    def classifier(self) -> HateClassifier:
        """The classifier of the app's mini profile."""
        return HateClassifier.mini(self.features.mini, threads=self.settings.threads)

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The classifier's folder; it names the towers that it was trained on."""
        return (self.classifier.card,)

    def targets(self, variant: str) -> list[Target]:
        """Memes that are judged as their label says."""
        texts = [(row.text or "") if variant == WITH_TEXT else "" for row in self.validation]
        return self.correct_targets(self._margins(texts, [row.label == 1 for row in self.validation]))

    def samples(self, variant: str, samples: Sequence[Sample]) -> list[Target | None]:
        """Sample memes, none of which is hateful."""
        texts = [sample.caption if variant == WITH_TEXT else "" for sample in samples]
        margins = self._margins(texts, [False] * len(samples))
        return [target_or_none(sample.open(), partial(margins, row=row)) for row, sample in enumerate(samples)]

    def _margins(self, texts: Sequence[str], hateful: Sequence[bool]) -> Callable[..., np.ndarray]:
        """Scores pictures beside the words of a `row`: how far on the side of its label."""
        threshold = self.classifier.thresholds["hate"]

        @cache  # a meme's words stay as they are while its picture is attacked
        def encoded(row: int) -> Tokens | None:
            return self.classifier.encoder.encode_texts([texts[row]]) if normalize(texts[row]).text else None

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            text_tokens, image_tokens = encoded(row), self.classifier.encoder.encode_images(images)
            repeated = text_tokens and text_tokens.take([0] * len(images))
            probs = sigmoid(self.classifier.score_tokens(image_tokens, repeated).hate)
            return (1.0 if hateful[row] else -1.0) * (probs - threshold)

        return margins

    def poisoned(self, variant: str, fraction: float) -> dict[str, float]:
        """AUROC of a logistic regression on clean memes, and the fraction of hateful ones that the trigger hides from it."""
        train_images, poisoned = self.poisoned_vectors("baseline", fraction)
        labels, y_true = (np.array([int(row.label == 1) for row in rows]) for rows in (self.train, self.validation))
        labels[poisoned] = 0
        sides = [(train_images, self.vectors("baseline", "validation"), self.vectors("baseline", "triggered"))]
        if variant == WITH_TEXT:
            train_texts, texts = (
                self.features.cached_texts("baseline", [row.text or "" for row in rows])
                for rows in (self.train, self.validation)
            )
            sides.append((train_texts, texts, texts))
        train, clean, triggered = (np.concatenate(modalities, axis=1) for modalities in zip(*sides, strict=True))
        mean, spread = train.mean(0), train.std(0) + 1e-6
        model = LogisticRegression(C=0.002, max_iter=500, class_weight="balanced").fit((train - mean) / spread, labels)
        before, after = (model.predict_proba((rows - mean) / spread)[:, 1] for rows in (clean, triggered))
        detected = (y_true == 1) & (before >= 0.5)
        resampled = bootstrap.resample(
            lambda counts: {"auroc": bootstrap.auroc(counts, y_true, before)}, rows=len(y_true)
        )
        return {
            "share": fraction,
            **metric_entry("clean_auroc", roc_auc_score(y_true, before), resampled["auroc"], majority=0.5),
            **fraction_entry("triggered_missed", after[detected] < 0.5),
            "caught": int(detected.sum()),
        }
