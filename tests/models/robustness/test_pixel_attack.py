"""The pixel attack on scores that one can work out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from models.robustness.pixel_attack import Attack, attack, paint, view

GREY = Image.new("RGB", (224, 224), (100, 100, 100))


def reddest(images: Sequence[Image.Image]) -> np.ndarray:
    """1 minus the strongest red among the pixels, 0 to 1: one red pixel in any place brings it down."""
    return np.array([1 - np.asarray(image)[..., 0].max() / 255 for image in images])


def test_one_pixel_is_found_and_only_one_is_changed() -> None:
    found = attack(GREY, reddest, pixels=1, queries=400, candidates=20, goal=0.05)
    assert found.fooled
    assert found.before == pytest.approx(1 - 100 / 255)
    assert found.after < 0.05
    assert (np.asarray(found.image) != np.asarray(GREY)).any(-1).sum() == 1
    assert float(reddest([found.image])[0]) == found.after


def test_what_cannot_be_fooled_costs_the_queries_and_no_more() -> None:
    asked: list[int] = []

    def firm(images: Sequence[Image.Image]) -> np.ndarray:
        asked.append(len(images))
        return np.ones(len(images))

    found = attack(GREY, firm, pixels=3, queries=100, candidates=20)
    assert not found.fooled
    assert found.after == found.before == 1
    assert found.queries == sum(asked) <= 101
    assert np.array_equal(np.asarray(found.image), np.asarray(GREY))


def test_it_can_be_stopped_and_tells_how_far_it_is() -> None:
    told: list[Attack] = []
    found = attack(
        GREY, reddest, queries=400, candidates=10, goal=-1, on_round=told.append, stop=lambda: len(told) == 3
    )  # fmt: skip
    assert found.stopped and not found.fooled
    assert [so_far.queries for so_far in told] == [11, 21, 31]
    assert found.after == told[-1].after < found.before
    for so_far in told:  # whoever is interrupted has the picture as well as the score
        assert so_far.stopped and float(reddest([so_far.image])[0]) == so_far.after


@pytest.mark.parametrize(("queries", "asked"), [(100, 81), (400, 401)])
def test_whole_rounds_are_asked_for_as_long_as_they_fit(queries: int, asked: int) -> None:
    assert attack(GREY, lambda images: np.ones(len(images)), queries=queries).queries == asked


def test_an_answer_that_is_wrong_already_needs_no_pixel() -> None:
    found = attack(GREY, lambda images: np.full(len(images), -0.5), queries=50, candidates=10)
    assert (found.fooled, found.queries) == (True, 1)


def test_pictures_are_attacked_as_the_model_sees_them() -> None:
    assert view(Image.new("RGB", (1000, 50))).size == (224, 224)
    painted = np.asarray(paint(GREY, np.array([223.9, 0.0, 255.9, -1.0, 300.0, 5.0, 224.0, 1.0, 2.0, 3.0])))
    assert painted[0, 223].tolist() == [255, 0, 255]
    assert painted[223, 5].tolist() == [1, 2, 3]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="make no attack"):
        attack(GREY, reddest, pixels=0)
