"""The Robustness page through its front door: each change, its curve, the flip, the pixel attack."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from components import attack
from models.robustness.sweep import CHANGES
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer

APP = str(Path(__file__).resolve().parents[1] / "app.py")


@pytest.fixture
def page(analyzer: FakeAnalyzer) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=60).run()
    at.switch_page("pages/explore/robustness.py")
    at.run()
    assert not at.exception
    return at


def everything(at: AppTest) -> str:
    kinds = (at.title, at.markdown, at.caption, at.info, at.warning, at.error, at.html)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def type_words(at: AppTest, words: str) -> AppTest:
    at.chat_input[0].set_value(words)
    return at.run()


def choose(at: AppTest, name: str) -> AppTest:
    at.segmented_control[0].set_value(name)
    return at.run()


def test_without_a_meme_it_asks_for_one(page: AppTest) -> None:
    assert page.title[0].value == "How much does it take to fool it?"
    assert len(page.file_uploader) == 1


def test_words_alone_offer_the_changes_of_words(page: AppTest) -> None:
    type_words(page, "I despise queues")
    options = page.segmented_control[0].options
    assert len(options) == sum(change.side == "words" for change in CHANGES.values())
    assert "No picture, so there is no pixel to change." in everything(page)


def test_typos_flip_the_verdict_and_the_smallest_change_is_told(page: AppTest) -> None:
    type_words(page, "I despise queues")
    choose(page, "typos")
    assert not page.exception
    said = everything(page)
    assert "Smallest change that flips the verdict" in said
    assert "“Hateful”" in said and "“Not hateful”" in said


def test_a_change_that_does_nothing_says_so(page: AppTest) -> None:
    type_words(page, "mm")
    choose(page, "leetspeak")
    assert "nothing in these words" in everything(page)
    assert "No strength of this change flips" in everything(page)


def test_a_picture_offers_all_changes_and_each_draws(page: AppTest) -> None:
    page.file_uploader[0].upload("meme.png", drawn(), "image/png")
    page.run()
    assert len(page.segmented_control[0].options) == len(CHANGES)
    for name in CHANGES:
        choose(page, name)
        assert not page.exception, name
        assert not page.error, name


def test_the_slider_changes_what_is_shown(page: AppTest) -> None:
    type_words(page, "I despise queues and bees")
    choose(page, "emoji")
    page.slider[0].set_value(1.0)
    page.run()
    assert "after 5 of 5 words" in everything(page)


def test_the_pixel_attack_shows_the_pair(page: AppTest) -> None:
    page.file_uploader[0].upload("meme.png", drawn(), "image/png")
    page.run()
    tries = next(one for one in page.slider if one.label == "Pictures to try")
    tries.set_value(100)
    page.run()
    next(one for one in page.button if one.label == "Search for pixels").click()
    page.run()
    assert not page.exception
    said = everything(page)
    assert "pictures tried" in said
    assert "**Before**" in said and "**After**" in said
    assert "Pixels changed, counted from the upper left" in said or "No pixel brought the score any closer" in said


def pixel_search(page: AppTest) -> str:
    """The name of the search that the page offers for a picture with 100 tries."""
    page.file_uploader[0].upload("meme.png", drawn(), "image/png")
    page.run()
    next(one for one in page.slider if one.label == "Pictures to try").set_value(100)
    page.run()
    start = next(one for one in page.button if one.label == "Search for pixels")
    return f"pixel-{str(start.key).removeprefix('start-')}-1-100"


def test_a_search_that_was_interrupted_goes_on(page: AppTest) -> None:
    name = pixel_search(page)
    assert "pictures tried" not in everything(page)
    page.session_state["pixel_wanted"] = name  # as a rerun leaves it that came in the middle
    page.run()
    assert "pictures tried" in everything(page)
    assert not page.session_state["pixel_wanted"]


def test_a_search_that_fails_is_not_tried_again(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    name = pixel_search(page)
    calls = []

    def broken(*_: object, **__: object) -> None:
        calls.append(1)
        raise ValueError("no")

    monkeypatch.setattr(attack, "attack", broken)
    page.session_state["pixel_wanted"] = name
    page.run()
    page.run()
    assert len(calls) == 1 and not page.exception


def test_changed_pixels_are_told_by_place_and_colour() -> None:
    before = Image.new("RGB", (9, 9))
    after = before.copy()
    after.putpixel((7, 2), (255, 0, 128))
    assert r"(7, 2) is now \#ff0080" in attack._changed(before, after)
    assert "as it was" in attack._changed(before, before)


def test_curves_are_computed_once(page: AppTest, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    score = analyzer.score
    monkeypatch.setattr(analyzer, "score", lambda memes: asked.append(len(memes)) or score(memes), raising=False)
    type_words(page, "I despise queues")
    first = len(asked)
    page.slider[0].set_value(0.2)
    page.run()
    assert len(asked) == first + 1  # the shown meme alone
