"""What a face looks like to the net, and what the shipped net answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.emotions.expressions import BATCH_SIZE, LABELS, SIDE, ExpressionClassifier, grey, prepare, standardise
from models.errors import BadWeights


def drawn(side: int = 120, mode: str = "RGB") -> Image.Image:
    face = Image.new("RGB", (side, side), (90, 70, 60))
    pen = ImageDraw.Draw(face)
    pen.ellipse((side * 0.1, 0, side * 0.9, side), fill=(220, 180, 160))
    for left in (0.3, 0.6):
        pen.ellipse((side * left, side * 0.35, side * (left + 0.1), side * 0.42), fill=(20, 20, 20))
    pen.arc((side * 0.3, side * 0.5, side * 0.7, side * 0.8), 20, 160, fill=(120, 20, 20), width=max(1, side // 30))
    return face.convert(mode)


@pytest.fixture(scope="module", name="classifier")
def _classifier() -> ExpressionClassifier:
    return ExpressionClassifier(threads=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_any_picture_becomes_48_grey_pixels(mode: str) -> None:
    pixels = grey(drawn(mode=mode))
    assert (pixels.shape, pixels.dtype) == ((SIDE, SIDE), np.uint8)
    fed = prepare(drawn(mode=mode))
    assert (fed.shape, fed.dtype) == ((1, SIDE, SIDE), np.float32)


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    assert (grey(Image.fromarray(pixels)) == pixels).all()
    assert (grey(Image.fromarray(pixels).convert("RGB")) == pixels).all()


def test_light_and_contrast_do_not_matter() -> None:
    pixels = np.random.default_rng(0).integers(40, 120, (SIDE, SIDE), dtype=np.uint8)
    first, second = standardise(pixels), standardise(pixels * 2 + 10)
    assert first.mean() == pytest.approx(0, abs=1e-5)
    assert first.std() == pytest.approx(1, abs=1e-5)
    assert np.allclose(first, second, atol=1e-5)


def test_each_picture_of_a_batch_is_standardised_by_itself() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
    assert np.allclose(standardise(pixels)[1], standardise(pixels[1]))


def test_a_blank_picture_stays_blank() -> None:
    assert not standardise(np.full((SIDE, SIDE), 200, np.uint8)).any()


def test_seven_expressions_most_likely_first(classifier: ExpressionClassifier) -> None:
    [answer] = classifier.predict([drawn()])
    assert {expression.label for expression in answer} == set(LABELS)
    chances = [expression.probability for expression in answer]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-5)


def test_no_faces_no_answers(classifier: ExpressionClassifier) -> None:
    assert classifier.predict([]) == []


def test_a_face_is_answered_alike_alone_in_a_crowd_and_mirrored(classifier: ExpressionClassifier) -> None:
    faces = [drawn(side) for side in range(40, 40 + BATCH_SIZE + 2)]
    crowd = classifier.probabilities(faces)
    assert crowd.shape == (BATCH_SIZE + 2, len(LABELS))
    assert np.allclose(classifier.probabilities(faces[-1:]), crowd[-1:], atol=1e-4)
    mirrored = [face.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for face in faces[:2]]
    small = [face.resize((SIDE, SIDE)) for face in mirrored]
    unmirrored = [face.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for face in small]
    assert np.allclose(classifier.probabilities(small), classifier.probabilities(unmirrored), atol=1e-4)


def test_weights_for_other_labels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    with pytest.raises(BadWeights, match="face_expressions"):
        ExpressionClassifier()
    folder = tmp_path / "face_expressions"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"labels": ["happy", "sad"], "side": SIDE, "sha256": {}}))
    with pytest.raises(BadWeights, match="other labels or another size"):
        ExpressionClassifier()
