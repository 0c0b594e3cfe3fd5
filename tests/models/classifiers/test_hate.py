"""The classifier around a fusion that answers what the test wants: calibration, bands, and which side is absent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.classifiers.hate import HateClassifier
from models.classifiers.heads import sigmoid
from models.encoders.base import Tokens
from models.errors import BadWeights
from models.fusion.base import Fused
from models.io.language import Language
from models.io.readings import readings
from models.weights import Card

CONFIG = {
    "labels": ["harm", "hate"],  # not the usual order: columns go by name
    "bands": {"review_from": 0.4, "hateful_from": 0.6},
    "thresholds": {"hate": 0.5, "harm": 0.3},
    "calibration": {"hate": {"scale": 2.0, "offset": -1.0}, "harm": {"scale": 1.0, "offset": 0.5}},
}


class Encoder:
    image_width = text_width = 1

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        widths = np.array([image.width for image in images], np.float32)
        return Tokens(widths[:, None, None], np.ones((len(images), 1), bool), np.zeros((len(images), 512)))

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        lengths = np.array([len(text) for text in texts])
        mask = np.arange(lengths.max()) < lengths[:, None]
        return Tokens(mask[..., None].astype(np.float32), mask, np.zeros((len(texts), 512)), (((0, 1),),) * len(texts))


class Fusion:
    """logit of hate = the picture's width, of harm = the text's length; -1 for what is absent."""

    def __init__(self) -> None:
        self.sides: list[tuple[bool, bool]] = []

    def fuse(self, image: Tokens | None, text: Tokens | None) -> Fused:
        self.sides.append((image is not None, text is not None))
        rows = max(len(side.mask) for side in (image, text) if side is not None) if image or text else 1
        sums = [np.full(rows, -1.0) if side is None else _sums(side) for side in (text, image)]
        return Fused(np.stack(sums, axis=1).astype(np.float32))


def _sums(side: Tokens) -> np.ndarray:
    sums = (side.tokens[..., 0] * side.mask).sum(1)
    return np.where(side.mask.any(1), sums, -1.0)


def card(**changes: object) -> Card:
    return Card("hate_cross_attention", Path(), CONFIG | changes, {})


@pytest.fixture
def classifier() -> HateClassifier:
    return HateClassifier(Encoder(), Fusion(), card())


def picture(width: int) -> Image.Image:
    return Image.new("RGB", (width, 2))


def test_the_calibration_is_applied_once_and_each_head_has_its_own(classifier: HateClassifier) -> None:
    scored = classifier.score_tokens(classifier.encoder.encode_images([picture(3)]), None)
    assert scored.hate.tolist() == [2 * 3 - 1]
    assert scored.harm.tolist() == [-1 + 0.5]
    verdict = classifier.verdict(scored.hate[0])
    assert (verdict.logit, verdict.probability) == (5, pytest.approx(1 / (1 + math.exp(-5))))
    assert classifier.harm(scored.harm[0]).probability == pytest.approx(1 / (1 + math.exp(0.5)))


def test_rows_keep_their_place_whichever_side_they_lack(classifier: HateClassifier) -> None:
    images = [picture(3), None, picture(5), None]
    scored = classifier.score(images, ["", "ab", " \n", "abcd"])
    assert scored.hate.tolist() == [5, -3, 9, -3]
    assert scored.harm.tolist() == [-0.5, 2.5, -0.5, 4.5]
    assert scored.fused.attention is None


@pytest.mark.parametrize(
    ("images", "texts"), [([None, None], ["a", "b"]), ([picture(2)], [""]), ([picture(2)], ["\u200b"])]
)
def test_a_side_that_no_row_has_is_not_encoded(
    classifier: HateClassifier, images: list[Image.Image | None], texts: list[str]
) -> None:
    classifier.score(images, texts)
    assert classifier.fusion.sides == [(images[0] is not None, images[0] is None)]  # type: ignore[attr-defined]


def test_with_both_sides_absent_there_is_one_row(classifier: HateClassifier) -> None:
    assert classifier.score_tokens(None, None).hate.tolist() == [-3]


@pytest.mark.parametrize(
    ("probability", "label"),
    [
        (0.0, "not_hateful"),
        (0.399, "not_hateful"),
        (0.401, "needs_review"),
        (0.599, "needs_review"),
        (0.601, "hateful"),
    ],
)
def test_the_label_follows_the_bands(classifier: HateClassifier, probability: float, label: str) -> None:
    logit = math.log(probability / (1 - probability)) if probability else -50.0
    verdict = classifier.verdict(logit)
    assert verdict.label == label
    assert verdict.probability == pytest.approx(probability)
    assert (verdict.bands.review_from, verdict.bands.hateful_from) == (0.4, 0.6)


@pytest.mark.parametrize(
    ("logits", "decided"), [((-2.0, 1.0), True), ((1.0, -2.0), False), ((0.5, 0.5), False), ((4.600, 4.601), False)]
)
def test_the_reading_with_the_higher_probability_decides(
    classifier: HateClassifier, logits: tuple[float, float], decided: bool
) -> None:
    number, verdict = classifier.decide(readings("k1ll it"), logits)
    assert (number, verdict.logit) == (int(decided), logits[decided])
    assert verdict.reading is not None
    assert (verdict.reading.text, verdict.reading.decided) == ("kill it", decided)
    assert verdict.reading.probability_as_written == pytest.approx(sigmoid(logits[0]))
    assert verdict.reading.probability == pytest.approx(sigmoid(logits[1]))


def test_a_caption_with_a_single_reading_has_no_other(classifier: HateClassifier) -> None:
    for text in ("we hate mondays", ""):
        assert classifier.decide(readings(text), [0.3]) == (0, classifier.verdict(0.3))


def test_at_the_threshold_the_stronger_label_begins() -> None:
    edge = HateClassifier(Encoder(), Fusion(), card(bands={"review_from": 0.5, "hateful_from": sigmoid(1.0)}))
    assert [edge.verdict(logit).label for logit in (-1e-9, 0.0, 1.0)] == ["not_hateful", "needs_review", "hateful"]


def test_each_label_has_its_own_meaning(classifier: HateClassifier) -> None:
    assert len({classifier.verdict(logit).meaning for logit in (-9.0, 0.0, 9.0)}) == 3


@pytest.mark.parametrize("logit", [-9.0, 0.0, 9.0])
def test_a_language_that_was_not_measured_is_left_to_a_person(classifier: HateClassifier, logit: float) -> None:
    german = Language("de", 0.9, "LATIN")
    verdict = classifier.verdict(logit, german)
    assert (verdict.label, verdict.decided_by, verdict.logit) == ("needs_review", "language", logit)
    assert verdict.probability == pytest.approx(sigmoid(logit))
    assert "look German" in verdict.meaning
    measured = HateClassifier(Encoder(), Fusion(), card(languages=["en", "de"]))
    assert measured.verdict(logit, german) == classifier.verdict(logit, Language("en", 0.9, "LATIN"))
    assert measured.verdict(logit, german).decided_by == "probability"
    assert (classifier.languages, measured.languages) == (("en",), ("en", "de"))


def test_the_sigmoid_takes_any_number() -> None:
    assert (sigmoid(0.0), sigmoid(1e9), sigmoid(-1e9)) == (0.5, 1.0, 0.0)
    for logit in (-20.0, -1.0, 0.3, 8.0):
        assert sigmoid(logit) == pytest.approx(1 / (1 + math.exp(-logit)))


@pytest.mark.parametrize("key", sorted(CONFIG))
def test_a_card_that_lacks_a_setting_says_which(key: str) -> None:
    lacking = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(BadWeights, match=f"lacks '{key}'"):
        HateClassifier(Encoder(), Fusion(), Card("hate_cross_attention", Path(), lacking, {}))
