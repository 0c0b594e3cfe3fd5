"""What people see as one letter is never cut."""

import pytest

from models.io.graphemes import Graphemes, first, shorten

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("hello", 5, "hello"),
        ("hello world", 6, "hello…"),
        ("नमस्ते", 5, "नम…"),  # not between the last letters, which are one conjunct, nor before its vowel
        (f"a{FAMILY}", 4, "a…"),
        ("عَلَيْكُمْ", 6, "عَلَ…"),
        (FAMILY, 3, "…"),
    ],
)
def test_shortened_texts_end_with_a_whole_grapheme(text: str, limit: int, shown: str) -> None:
    assert shorten(text, limit) == shown
    assert len(shown) <= limit
    assert text.startswith(first(text, limit))


def test_spans_take_in_all_of_the_graphemes_that_they_touch() -> None:
    graphemes = Graphemes(f"e\u0301 {FAMILY}!")
    assert graphemes.widen(1, 4) == (0, 8)
    assert graphemes.widen(2, 3) == (2, 3)
    assert [graphemes.end(at) for at in (0, 1, 2, 8, 9)] == [0, 2, 2, 8, 9]
