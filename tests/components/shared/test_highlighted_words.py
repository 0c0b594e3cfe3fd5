"""Captions are drawn shaded, escaped, and no longer than the page can bear."""

import re

from components.shared import highlighted_words
from models.analysis import WordEffect, WordWeight
from tests import wordings


def shown(markup: str) -> str:
    return re.sub(r"<[^>]*>", "", markup)


def test_each_word_is_as_dark_as_its_share() -> None:
    markup = highlighted_words.attended("big small", [WordWeight("big", 0, 3, 0.8), WordWeight("small", 4, 9, 0.2)])
    opacities = [float(underlined) for underlined in re.findall(r"rgba\(\d+,\d+,\d+,([\d.]+)\)", markup)]
    assert opacities[0] == 4 * opacities[1]
    assert shown(markup) == "big small"


def test_only_the_picked_word_is_underlined() -> None:
    markup = highlighted_words.attended(
        "one two", [WordWeight("one", 0, 3, 0.5), WordWeight("two", 4, 7, 0.5)], picked=1
    )
    underlined = re.findall(r"<span [^>]*underline[^>]*>([^<]*)</span>", markup)
    assert underlined == ["two"]


def test_markup_in_the_caption_is_text() -> None:
    text = "<script>x</script> & <b>"
    markup = highlighted_words.weighed(text, [WordEffect("<script>x</script>", 0, 18, 1.0)])
    assert "<script" not in markup
    assert "<b>" not in markup
    assert "&lt;script&gt;x&lt;/script&gt;" in markup


def test_directions_have_their_own_hues() -> None:
    markup = highlighted_words.weighed("a b", [WordEffect("a", 0, 1, 1.0), WordEffect("b", 2, 3, -1.0)])
    assert len(set(re.findall(r"rgba\((\d+,\d+,\d+),", markup))) == 2
    assert "+1.00" in markup
    assert "-1.00" in markup


def test_a_long_caption_is_cut_and_says_so() -> None:
    text = "word " * 2000
    effects = [WordEffect("word", at, at + 4, 0.1) for at in range(0, len(text), 5)]
    markup = highlighted_words.weighed(text, effects)
    assert wordings.MORE_CHARACTERS.format(count=len(text) - highlighted_words.DRAWN_CHARACTERS) in markup
    assert markup.count("<span") == highlighted_words.DRAWN_CHARACTERS // 5


def test_a_long_caption_is_not_cut_inside_a_letter() -> None:
    text = "क्षि" * 500  # graphemes of four characters
    drawn = shown(highlighted_words.weighed("x" + text, [])).split(" …")[0]
    assert drawn == "x" + "क्षि" * ((highlighted_words.DRAWN_CHARACTERS - 1) // 4)


def test_overlapping_and_empty_spans_do_no_harm() -> None:
    markup = highlighted_words.doubtful("abcdef", [(0, 4), (2, 6)])
    assert shown(markup) == "abcdef"
    assert shown(highlighted_words.attended("", [])) == ""
    assert shown(highlighted_words.attended("a", [WordWeight("a", 0, 1, 0.0)])) == "a"


def test_captions_find_their_own_direction() -> None:
    markup = highlighted_words.doubtful("שלום\nhello", [])
    assert 'dir="auto"' in markup
    assert "unicode-bidi:plaintext" in markup  # a line each
    assert 'dir="auto"' in highlighted_words.plain("שלום")


def test_sentences_stay_english_whatever_they_quote() -> None:
    assert 'dir="ltr"' in highlighted_words.sentences("“שלום” is a word.")
    assert 'dir="ltr"' in highlighted_words.listed(["“שלום” is a word."])


def test_lists_and_paragraphs_are_escaped() -> None:
    assert "<i>" not in highlighted_words.listed(["<i>"]) + highlighted_words.plain("<i>\n<i>")
    assert highlighted_words.plain("a\n\nb").count("<p ") == 2
