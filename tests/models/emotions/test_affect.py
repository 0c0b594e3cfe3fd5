"""Names on Russell's circle, the kernel by hand, and what ships on pictures of its own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from models.emotions.affect import AffectReader, emotion_at, kernel, views
from models.errors import BadWeights


@pytest.mark.parametrize(
    ("valence", "arousal", "name"),
    [
        (4, 4, "neutral"), (4.3, 4.3, "neutral"), (6, 4, "happy"), (6, 6, "excited"), (4, 6, "alarmed"), (2, 6, "afraid"),
        (2, 4, "sad"), (2, 2, "bored"), (4, 2, "calm"), (6, 2, "content"),
    ],
)  # fmt: skip
def test_names_lie_on_the_circle(valence: float, arousal: float, name: str) -> None:
    assert emotion_at(valence, arousal) == name


def test_the_middle_of_arousal_can_lie_elsewhere() -> None:
    assert emotion_at(4, 3.7, arousal_middle=3.7) == "neutral"
    assert emotion_at(4, 4.5, arousal_middle=3.7) == "alarmed"


def test_the_kernel_is_the_mean_over_groups() -> None:
    left, right = (
        [np.array([[0.0, 0.0]]), np.array([[1.0]])],
        [np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[1.0], [3.0]])],
    )
    similarities = kernel(left, right, scales=[2.0, 4.0], gamma=1.0)
    assert similarities == pytest.approx(np.array([[(np.exp(-1) + 1) / 2, (1 + np.exp(-1)) / 2]]))


def test_a_picture_is_seen_with_its_mirror_image() -> None:
    image = Image.new("RGB", (50, 30))
    image.paste((255, 255, 255), (0, 0, 25, 30))
    pixels = views(image, 64)
    assert pixels.shape == (2, 3, 64, 64)
    assert np.array_equal(pixels[0], pixels[1][:, :, ::-1])


def test_what_ships_answers_within_the_scale_and_alike_for_the_mirror_image() -> None:
    reader = AffectReader(threads=1)
    noise = Image.fromarray(np.random.default_rng(0).integers(256, size=(90, 120, 3), dtype=np.uint8))
    plain, mirrored = reader.read([noise, noise.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    assert 1 <= plain.valence <= 7 and 1 <= plain.arousal <= 7
    assert (plain.valence, plain.arousal) == pytest.approx((mirrored.valence, mirrored.arousal), abs=0.02)


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    with pytest.raises(BadWeights, match="picture_emotions"):
        AffectReader()
