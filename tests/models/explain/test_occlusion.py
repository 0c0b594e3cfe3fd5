"""Scorers with weights set by hand, whose answer is known."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from models.analysis import Span
from models.explain.evidence import MAX_SIDE, region_effects, word_effects

WEIGHTS = {"hate": 2.0, "love": -3.0, "mondays": 0.5}
RED = (255, 0, 0)


def spans(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"\w+", text)]


def weigh(captions: list[str]) -> np.ndarray:
    return np.array([sum(WEIGHTS.get(word, 0.0) for word in caption.split()) for caption in captions])


def checkered(size: tuple[int, int], cells: dict[tuple[int, int], int], grid: int = 4) -> Image.Image:
    """A black picture; in each named cell (column, row) so many single red pixels, which no blur leaves red."""
    image = Image.new("RGB", size)
    for (column, row), count in cells.items():
        for number in range(count):
            image.putpixel((column * size[0] // grid + 2 + 3 * number, row * size[1] // grid + 3), RED)
    return image


def red_pixels(images: list[Image.Image]) -> np.ndarray:
    return np.array([float((np.asarray(image) == RED).all(axis=-1).sum()) for image in images])


def test_each_word_gets_its_own_weight() -> None:
    text = "i hate mondays"
    effects = word_effects(text, spans(text), weigh, base=2.5)
    assert [(word.text, word.start, word.end, word.effect) for word in effects] == [
        ("i", 0, 1, 0.0),
        ("hate", 2, 6, 2.0),
        ("mondays", 7, 14, 0.5),
    ]


def test_a_word_that_only_works_with_another_counts_for_both() -> None:
    def together(captions: list[str]) -> np.ndarray:
        return np.array([4.0 if {"not", "good"} <= set(caption.split()) else 0.0 for caption in captions])

    text = "not so good"
    assert [word.effect for word in word_effects(text, spans(text), together, base=4.0)] == [4.0, 0.0, 4.0]


def test_the_captions_without_a_word_read_as_if_it_had_never_been_there() -> None:
    variants: list[str] = []

    def listen(captions: list[str]) -> np.ndarray:
        variants.extend(captions)
        return np.zeros(len(captions))

    text = "one two,\nthree four"
    word_effects(text, spans(text), listen, base=0.0)
    assert variants == ["two,\nthree four", "one ,\nthree four", "one two,\nfour", "one two,\nthree"]


def test_all_words_go_through_one_call_and_a_single_word_leaves_an_empty_caption() -> None:
    calls = []

    def count(captions: list[str]) -> np.ndarray:
        calls.append(captions)
        return np.zeros(len(captions))

    word_effects("hello", [(0, 5)], count, base=1.0)
    assert calls == [[""]]
    assert word_effects("", [], count, base=1.0) == ()
    assert len(calls) == 1


@pytest.mark.parametrize(("number", "most"), [(41, 40), (95, 40), (40, 40), (7, 3), (3, 1)])
def test_long_captions_are_taken_apart_in_chunks(number: int, most: int) -> None:
    text = " ".join(f"w{place}" for place in range(number))

    def count(captions: list[str]) -> np.ndarray:
        return np.array([float(len(caption.split())) for caption in captions])

    effects = word_effects(text, spans(text), count, base=number, most=most)
    assert len(effects) == min(number, most)
    assert " ".join(word.text for word in effects) == text
    assert all(text[word.start : word.end] == word.text for word in effects)
    lengths = [len(word.text.split()) for word in effects]
    assert [word.effect for word in effects] == lengths
    assert max(lengths) - min(lengths) <= 1


def test_each_region_gets_what_stands_in_it() -> None:
    image = checkered((80, 60), {(1, 0): 3, (3, 2): 2})
    regions = region_effects(image, red_pixels, base=5.0)
    assert len(regions) == 16
    effects = {region.box: region.effect for region in regions if region.effect}
    assert effects == {(20, 0, 40, 15): 3.0, (60, 30, 80, 45): 2.0}
    assert red_pixels([image]) == [5.0], "the picture given was painted on"


def test_the_cells_tile_the_picture_in_reading_order() -> None:
    boxes = [region.box for region in region_effects(Image.new("RGB", (50, 31)), red_pixels, base=0.0, grid=3)]
    assert boxes[0][:2] == (0, 0)
    assert boxes[-1][2:] == (50, 31)
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) == 50 * 31
    assert boxes == sorted(boxes, key=lambda box: (box[1], box[0]))


def test_covering_keeps_the_brightness_of_the_cell() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    noise[:32] //= 4  # a dark half above a bright one

    def contrast(images: list[Image.Image]) -> np.ndarray:
        cells = [np.asarray(image, dtype=float)[:16, :16] for image in images]
        assert cells[0].std() < 5  # nothing is left to be read
        assert abs(cells[0].mean() - noise[:16, :16].mean()) < 8
        return np.zeros(len(images))

    region_effects(Image.fromarray(noise), contrast, base=0.0)


def test_a_large_picture_is_scaled_down_and_scaling_counts_for_no_cell() -> None:
    image = checkered((4 * MAX_SIDE, 2 * MAX_SIDE), {})
    image.paste(RED, (4 * MAX_SIDE - 200, 2 * MAX_SIDE - 200, 4 * MAX_SIDE, 2 * MAX_SIDE))
    sizes: list[tuple[int, int]] = []

    def brightness(images: list[Image.Image]) -> np.ndarray:
        sizes.extend(picture.size for picture in images)
        return red_pixels(images)

    effects = region_effects(image, brightness, base=40_000.0)  # the base of the full size, which fits no smaller one
    assert set(sizes) == {(MAX_SIDE, MAX_SIDE // 2)}
    assert [region.effect > 0 for region in effects] == [False] * 15 + [True]
    assert effects[-1].box == (3 * MAX_SIDE, 1.5 * MAX_SIDE, 4 * MAX_SIDE, 2 * MAX_SIDE)


def test_a_picture_smaller_than_the_grid_has_fewer_cells() -> None:
    boxes = [region.box for region in region_effects(Image.new("RGB", (2, 1)), red_pixels, base=0.0)]
    assert boxes == [(0, 0, 1, 1), (1, 0, 2, 1)]


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match="grid=0"):
        region_effects(Image.new("RGB", (8, 8)), red_pixels, base=0.0, grid=0)
    with pytest.raises(ValueError, match="most=0"):
        word_effects("a", [(0, 1)], weigh, base=0.0, most=0)
    with pytest.raises(ValueError, match="score gave"):
        word_effects("a b", [(0, 1), (2, 3)], lambda captions: np.zeros(1), base=0.0)
