"""The words of a caption, in scripts with and without spaces: none begins or ends inside what people see as one letter."""

from itertools import pairwise

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.io.caption_words import words

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def split(text, *pieces):
    """The words of a text whose tokenizer gives these pieces; XLM-R puts one of a blank before them."""
    spans, at = [(0, 0), (0, 1)], 0
    for piece in pieces:
        at = text.index(piece, at)
        spans.append((at, at + len(piece)))
        at += len(piece)
    return [word for word, _, _ in words(text, [*spans, (0, 0)])]


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20))
@example("\u0e01\u0e33a\u20dd好\U000e0100b", [(0, 1), (1, 3), (4, 5), (5, 6)])
def test_words_are_parts_of_the_text_in_order_and_cut_no_grapheme(text, spans):
    pieces = [(min(start, end, len(text)), min(max(start, end), len(text))) for start, end in spans]
    caption_words = words(text, pieces)
    assert all(text[start:end] == word and word for word, start, end in caption_words)
    assert all(first[2] <= second[1] for first, second in pairwise(caption_words))
    edges = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    assert all({start, end} <= edges for _, start, end in caption_words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't f*ck a$$hole, b!tch!", ["Don't", "f*ck", "a$$hole", "b!tch"]),
        ("#tag @name U.S.A. co-op -- x", ["#tag", "@name", "U.S.A", "co-op", "x"]),
        (f"hi{FAMILY}😂😂 ❤️ 🇩🇪🇫🇷 👍🏽", ["hi", FAMILY, "😂", "😂", "❤️", "🇩🇪", "🇫🇷", "👍🏽"]),
        ("wait...what", ["wait", "what"]),
        ("h\u200bate", ["h\u200bate"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("اَلسَّلَامُ عَلَيْكُمْ", ["اَلسَّلَامُ", "عَلَيْكُمْ"]),
        ("오늘 날씨", ["오늘", "날씨"]),
        ("a\u20dd ℹ️", ["a\u20dd", "ℹ️"]),
        ("?! ...", []),
    ],
)
def test_words(text, expected):
    assert [word for word, _, _ in words(text)] == expected


def test_scripts_without_spaces_are_cut_where_pieces_end():
    assert split("今天天气很好，我们去公园", "今天", "天气", "很好", "，", "我们", "去", "公园") == [
        "今天", "天气", "很好", "我们", "去", "公园"
    ]  # fmt: skip
    assert split("東京でラーメンを食べた", "東京", "で", "ラーメン", "を", "食べ", "た") == [
        "東京", "で", "ラーメン", "を", "食べ", "た"
    ]  # fmt: skip
    assert split("我爱iPhone2026年", "我", "爱", "iP", "hone", "20", "26", "年") == ["我", "爱", "iPhone2026", "年"]
    assert split("我*操", "我", "*", "操") == ["我", "操"]


def test_a_piece_that_ends_inside_a_grapheme_takes_all_of_it():
    assert split("วันนี้ดี", *"วันนี้ดี") == ["วั", "น", "นี้", "ดี"]


def test_words_of_scripts_with_spaces_are_whole_whatever_their_pieces():
    assert split("hating क्षमा عَلَيْكُمْ", "hat", "ing", "क्", "षमा", "عَ", "لَيْكُمْ") == ["hating", "क्षमा", "عَلَيْكُمْ"]


def test_without_pieces_a_run_is_one_word():
    assert words("今天天气") == [("今天天气", 0, 4)]
