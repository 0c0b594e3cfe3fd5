"""Spaces that are put back, and words that must stay whole."""

import pytest

from models.io.word_list import word_costs
from models.ocr.recognize import Reading
from models.ocr.word_segmentation import WORDS_KEPT, split, unglue


def reading(text: str, gaps: dict[int, float] | None = None) -> Reading:
    """A reading that is sure of its letters; `gaps` tells where a space was half probs."""
    probs = [0.0] * len(text)
    for at, probability in (gaps or {}).items():
        probs[at] = probability
    return Reading(text, (1.0,) * len(text), tuple(probs))


def mended(text: str, gaps: dict[int, float] | None = None) -> str:
    cuts = unglue(reading(text, gaps))
    return "".join(" " * (at in cuts) + character for at, character in enumerate(text))


@pytest.mark.parametrize(
    ("text", "gaps", "expected"),
    [
        ("THETEMPLE", {3: 0.3}, "THE TEMPLE"),
        ("AWOMANWHOWAS SEEN", {1: 0.2, 6: 0.2, 9: 0.2}, "A WOMAN WHO WAS SEEN"),
        ("WORKING FOR 4HOURS", {13: 0.3}, "WORKING FOR 4 HOURS"),
        ("Defined,again", {8: 0.4}, "Defined, again"),
        ("ITHINK NOT", {1: 0.2}, "I THINK NOT"),
        ('"THEPROBLEM."', {4: 0.4}, '"THE PROBLEM."'),
    ],
)
def test_glued_words_are_parted(text, gaps, expected):
    assert mended(text, gaps) == expected


@pytest.mark.parametrize(
    "text", ["THETEMPLE", "together", "Lewandowski", "everything", "underprepared", "Covfefe", "HongKong", "4HOURS"]
)
def test_nothing_is_parted_without_a_trace_of_a_gap(text):
    assert mended(text) == text


@pytest.mark.parametrize("text", ["together", "Lewandowski", "nobody", "Muslims", "Trumpism", "Zxqvbrt"])
def test_a_faint_trace_does_not_part_a_word_or_a_name(text):
    assert mended(text, dict.fromkeys(range(1, len(text)), 0.03)) == text


@pytest.mark.parametrize("text", ["#blacklivesmatter", "@therealdonald", "makeameme.org", "https://thetemple.com/is"])
def test_what_is_glued_on_purpose_stays(text):
    assert mended(text, dict.fromkeys(range(1, len(text)), 0.4)) == text


def test_split_of_a_single_word_is_nothing():
    assert split("temple", (0.0,) * 6) == []


def test_common_words_cost_less():
    costs = word_costs(WORDS_KEPT)
    assert costs["the"] < costs["people"] < costs["temple"]
    assert "t" not in costs and "a" in costs and "i" in costs
