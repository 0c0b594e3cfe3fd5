"""What is drawn onto pictures stands where it should, at any shape of picture."""

import pytest
from PIL import Image

from components.analyze import overlay
from components.shared import pictures
from models.analysis import Face, RegionEffect

GREY = Image.new("RGB", (700, 700), (128, 128, 128))
SHAPES = [(1, 1), (3, 4000), (4000, 3), (50, 40), (3000, 2000)]


def grid(row: int, column: int) -> tuple[tuple[float, ...], ...]:
    """All of the attention on one patch."""
    return tuple(tuple(float((y, x) == (row, column)) for x in range(7)) for y in range(7))


def light(pixel: tuple[int, int, int]) -> float:
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (6, 6), (2, 5)])
def test_heat_is_where_the_grid_says(row: int, column: int) -> None:
    heated = overlay.heat(GREY, grid(row, column))
    assert heated.size == GREY.size
    centres = {(y, x): light(heated.getpixel((50 + 100 * x, 50 + 100 * y))) for y in range(7) for x in range(7)}
    assert max(centres, key=lambda at: centres[at]) == (row, column)


def test_an_even_grid_has_no_peak() -> None:
    even = tuple(tuple(1 / 49 for _ in range(7)) for _ in range(7))
    assert overlay.scaled(even).tolist() == [[0.0] * 7] * 7
    heated = overlay.heat(GREY, even)
    assert heated.getpixel((150, 150)) == heated.getpixel((450, 650))


def test_colours_grow_lighter_all_along() -> None:
    steps = [light(tuple(overlay.heat_colours(value / 20))) for value in range(21)]
    assert steps == sorted(steps)


@pytest.mark.parametrize("size", SHAPES)
def test_every_shape_of_picture_can_be_drawn_on(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 20, 30))
    box = (0.0, 0.0, float(size[0]), float(size[1]))
    for drawn in (
        overlay.heat(image, grid(3, 3)),
        overlay.faces(image, [Face(box, 0.9)]),
        overlay.effects(image, [RegionEffect(box, 1.0)]),
        pictures.blurred(image),
        pictures.fitted(image),
    ):
        assert max(drawn.size) <= pictures.MAX_SIDE
        assert min(drawn.size) >= 1
    assert overlay.crop(image, box).size == (160, 160)


def test_a_box_outside_of_the_picture_is_cut() -> None:
    overlay.faces(GREY, [Face((-50.0, -50.0, 900.0, 20.0), 0.9)])
    assert overlay.crop(GREY, (800.0, 800.0, 900.0, 900.0)).size == (160, 160)


def test_effects_tint_by_direction_and_leave_the_rest() -> None:
    toward, away = RegionEffect((0.0, 300.0, 200.0, 500.0), 2.0), RegionEffect((400.0, 300.0, 600.0, 500.0), -2.0)
    none = RegionEffect((0.0, 0.0, 100.0, 100.0), 0.0)
    drawn = overlay.effects(GREY, [toward, away, none])
    red, _, blue = drawn.getpixel((100, 450))
    assert red > blue
    red, _, blue = drawn.getpixel((500, 450))
    assert red < blue
    assert drawn.getpixel((300, 600)) == (128, 128, 128)


def test_the_picture_given_is_left_as_it_was() -> None:
    image = Image.new("RGB", (100, 100), (1, 2, 3))
    overlay.faces(image, [Face((10.0, 10.0, 90.0, 90.0), 0.9)])
    overlay.effects(image, [RegionEffect((10.0, 10.0, 90.0, 90.0), 1.0)])
    assert image.getcolors() == [(10_000, (1, 2, 3))]


def test_a_blurred_picture_tells_nothing() -> None:
    stripes = Image.new("RGB", (600, 600))
    for x in range(0, 600, 20):
        stripes.paste((255, 255, 255), (x, 0, x + 10, 600))
    low, high = pictures.blurred(stripes).convert("L").crop((100, 100, 380, 380)).getextrema()
    assert high - low < 25
