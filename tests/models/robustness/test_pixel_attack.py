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
    result = attack(GREY, lambda images: reddest(images) - 0.05, pixels=1, queries=400, candidates=20)
    assert result.fooled
    assert result.before == pytest.approx(1 - 100 / 255 - 0.05)
    assert result.after < 0
    assert (np.asarray(result.image) != np.asarray(GREY)).any(-1).sum() == 1
    assert float(reddest([result.image])[0]) - 0.05 == result.after


def test_what_cannot_be_fooled_costs_the_queries_and_no_more() -> None:
    batches: list[int] = []

    def firm(images: Sequence[Image.Image]) -> np.ndarray:
        batches.append(len(images))
        return np.ones(len(images))

    result = attack(GREY, firm, pixels=3, queries=100, candidates=20)
    assert not result.fooled
    assert result.after == result.before == 1
    assert result.queries == sum(batches) <= 101
    assert np.array_equal(np.asarray(result.image), np.asarray(GREY))


def test_it_can_be_stopped_and_tells_how_far_it_is() -> None:
    rounds: list[Attack] = []

    def on_round(so_far: Attack) -> bool:
        rounds.append(so_far)
        return len(rounds) == 3

    result = attack(GREY, lambda images: 1 + reddest(images), queries=400, candidates=10, on_round=on_round)
    assert result.stopped and not result.fooled
    assert [so_far.queries for so_far in rounds] == [11, 21, 31]
    assert result.after == rounds[-1].after < result.before
    for so_far in rounds:  # whoever is interrupted has the picture as well as the score
        assert so_far.stopped and 1 + float(reddest([so_far.image])[0]) == so_far.after


@pytest.mark.parametrize(("queries", "expected"), [(100, 81), (400, 401)])
def test_whole_rounds_are_asked_for_as_long_as_they_fit(queries: int, expected: int) -> None:
    assert attack(GREY, lambda images: np.ones(len(images)), queries=queries).queries == expected


def test_an_answer_that_is_wrong_already_needs_no_pixel() -> None:
    result = attack(GREY, lambda images: np.full(len(images), -0.5), queries=50, candidates=10)
    assert (result.fooled, result.queries) == (True, 1)


def test_pictures_are_attacked_as_the_model_sees_them() -> None:
    assert view(Image.new("RGB", (1000, 50))).size == (224, 224)
    painted = np.asarray(paint(GREY, np.array([223.9, 0.0, 255.9, -1.0, 300.0, 5.0, 224.0, 1.0, 2.0, 3.0])))
    assert painted[0, 223].tolist() == [255, 0, 255]
    assert painted[223, 5].tolist() == [1, 2, 3]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="make no attack"):
        attack(GREY, reddest, pixels=0)
