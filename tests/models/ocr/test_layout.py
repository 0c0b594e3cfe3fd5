"""Reading order, and what is kept of what was read."""

import random

import pytest

from models.analysis import Line
from models.ocr.layout import believable, illegible, in_order
from models.ocr.recognize import Reading


def line(text: str, left: float, top: float, width: float = 100, height: float = 20) -> Line:
    return Line(text, 1.0, (left, top, left + width, top + height))


def ordered(*lines: Line) -> list[str]:
    shuffled = list(lines)
    random.Random(3).shuffle(shuffled)
    return [line.text for line in in_order(shuffled)]


def test_top_and_bottom_text():
    assert ordered(line("when you", 50, 5), line("see it", 60, 27), line("bottom", 40, 300)) == [
        "when you",
        "see it",
        "bottom",
    ]


def test_words_of_one_row_that_slope_a_little():
    assert ordered(line("a", 0, 10, 40), line("b", 50, 6, 40), line("c", 100, 2, 40)) == ["a", "b", "c"]


def test_two_columns_are_read_one_after_the_other():
    left = [line(f"left {i}", 0, 24 * i) for i in range(3)]
    right = [line(f"right {i}", 160, 24 * i + 5) for i in range(3)]
    assert ordered(*left, *right) == [f"left {i}" for i in range(3)] + [f"right {i}" for i in range(3)]


def test_a_grid_of_panels_is_read_row_by_row():
    panels = [line(f"{row}{column}", 200 * column, 200 * row) for row in range(2) for column in range(2)]
    assert ordered(*panels) == ["00", "01", "10", "11"]


def test_a_title_above_two_columns():
    texts = ordered(
        line("title", 0, 0, 260),
        *[line(f"l{i}", 0, 60 + 24 * i) for i in range(2)],
        *[line(f"r{i}", 160, 60 + 24 * i) for i in range(2)],
    )
    assert texts == ["title", "l0", "l1", "r0", "r1"]


def test_few_lines():
    assert in_order([]) == []
    assert ordered(line("alone", 3, 3)) == ["alone"]


def reading(text: str, confidence: float) -> Reading:
    return Reading(text, (confidence,) * len(text), (0.0,) * len(text))


NOTHING = reading("", 0.0)


def test_sure_latin_is_kept_and_doubtful_dropped():
    assert believable(reading("THE TEMPLE", 0.9), NOTHING).text == "THE TEMPLE"
    assert believable(reading("THE TEMPLE", 0.6), NOTHING) is None


@pytest.mark.parametrize(("confidence", "is_text"), [(0.7, False), (0.95, True)])
def test_a_letter_alone_has_to_be_surer(confidence, is_text):
    assert (believable(reading("I", confidence), NOTHING) is not None) == is_text


@pytest.mark.parametrize(
    ("text", "width", "height", "unknown"),
    [("", 300, 40, True), ("i", 300, 40, True), ("a b c d", 300, 40, False), ("", 60, 40, False), ("", 300, 12, False)],
)
def test_a_line_with_hardly_a_character_is_in_unknown_letters(text, width, height, unknown):
    assert illegible(reading(text, 0.5), width, height) == unknown


def test_marks_alone_are_not_words():
    assert believable(reading("-..", 0.99), NOTHING) is None


@pytest.mark.parametrize("noise", [reading("口", 0.99), reading("日国", 0.6)])
def test_invented_han_is_dropped(noise):
    assert believable(noise, NOTHING) is None


def test_a_stray_han_character_in_a_latin_line_is_read_again_without():
    again = reading("OLD TEMPLE", 0.9)
    assert believable(reading("口LD TEMPLE", 0.95), again) is again


def test_a_line_that_is_chinese_as_a_whole_is_kept():
    assert believable(reading("武汉加油", 0.97), NOTHING).text == "武汉加油"
