"""Features of images in variants, by a network that counts its calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.retrieval import data
from training.retrieval.data import augment, stage_features
from training.retrieval.model import STAGES_WIDTH


class Session:
    """Its features are the mean of the left half of each image."""

    def __init__(self) -> None:
        self.calls = 0

    def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.calls += 1
        pixels = inputs["pixels"]
        return [np.repeat(pixels[..., : pixels.shape[-1] // 2].mean((1, 2, 3))[:, None], STAGES_WIDTH, axis=1)]


def split_image(left: int) -> Image.Image:
    """Grey on the left, black on the right."""
    image = Image.new("RGB", (16, 16))
    image.paste((left, left, left), (0, 0, 8, 16))
    return image


def test_each_image_is_run_once_in_each_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    monkeypatch.setattr(data, "stages_session", lambda size: session)
    views = [lambda row: split_image(40 * row), lambda row: split_image(250)]
    for _ in range(2):
        features = stage_features(views, 5, ["key"], tmp_path, variants=2, size=16, seed=0)
        assert features.shape == (2, 5, 2 * STAGES_WIDTH) and features.dtype == np.float16
    assert session.calls == 2 * 2 * 2  # batches of 4 and 1 images, two views, two variants
    plain, mirrored = features[:, :, 0].astype(float)
    assert (np.diff(plain) > 0).all()  # row by row in order
    assert mirrored == pytest.approx(np.full(5, plain[0]))  # the black half is on the left now
    assert (features[0, :, STAGES_WIDTH] > plain.max()).all()  # the second view lies beside the first


def test_a_crop_depends_on_its_seed_alone() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8))
    first, again, other = (augment(image, 2, 32, seed) for seed in ((7, 1), (7, 1), (7, 2)))
    assert first.size == (32, 32)
    assert first.tobytes() == again.tobytes() != other.tobytes()
