"""Spellings that slip past a filter, and emoji by name and for words."""

from __future__ import annotations

import random

import pytest

from training.datasets import evasions

TEXT = "some people really despise mosquitoes"


def test_an_evasion_keeps_most_words_and_comes_in_many_styles() -> None:
    respelled = {evasions.evade(TEXT, random.Random(seed)) for seed in range(600)}
    assert len(respelled) > 100
    assert {"some people really despise m.o.s.q.u.i.t.o.e.s", "some people really despise m0$quit03$"} & respelled
    assert {"some people reallydespise mosquitoes", TEXT.upper(), TEXT.replace(" ", "")} <= respelled


@pytest.mark.parametrize("text", ["", "a", "we are", "it is so"])
def test_short_words_stay(text: str) -> None:
    assert {evasions.evade(text, random.Random(seed)) for seed in range(40)} == {text}


def test_the_same_seed_respells_alike() -> None:
    assert evasions.evade(TEXT, random.Random(5)) == evasions.evade(TEXT, random.Random(5))


@pytest.mark.parametrize("style", [evasions.swap, evasions.drop, evasions.double, evasions.star, evasions.split])
def test_a_style_changes_a_letter_or_two(style: evasions.Style) -> None:
    respelled = {style("immigrants", random.Random(seed)) for seed in range(30)}
    assert len(respelled) > 4, "nothing or hardly anything was changed"
    for word in respelled:
        assert abs(len(word) - len("immigrants")) <= 3
        assert word[0] == "i" and set(word) <= set("imgrants*#-_.@ ")


def test_emoji_are_named_in_the_language_of_the_text() -> None:
    rng = random.Random(0)
    assert evasions.name_emoji("👍 super", rng, 1.0, "de").split() == ["daumen", "hoch", "super"]
    assert evasions.name_emoji("👍 goed", rng, 1.0, "nl").split() == ["thumbs", "up", "goed"]
    assert evasions.name_emoji("👍 super", rng, 0.0, "de") == "👍 super"


def test_words_are_drawn_as_emoji() -> None:
    drawn = {evasions.draw_words("I love cats", random.Random(seed)) for seed in range(60)}
    assert "I ❤️ cats" in drawn and "I love 🐈" in drawn
    assert any(text.startswith("I love cats ") for text in drawn)


def test_every_emoji_of_one_character_has_a_name() -> None:
    names = evasions.emoji_names()
    assert names["😀"] == "grinning face" and names["🇩"] == "flag D"
    assert all(names.values()) and len(names) > 1000
