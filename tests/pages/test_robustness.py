"""The Robustness page through its front door: each change, its curve, the flip, the pixel attack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from components.explore import perturbation
from components.explore import pixel_attack as pixels
from components.explore.pixel_attack import Hunt
from components.shared.verdict import zones
from models.analysis import Bands, Caption, Meme
from models.robustness import pixel_attack
from models.robustness.pixel_attack import Attack, changed
from models.robustness.sweep import CHANGES, smallest_flip, sweep
from tests.conftest import drawn
from tests.fakes import BANDS, FakeAnalyzer

APP = str(Path(__file__).resolve().parents[2] / "app.py")


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


def pixel_search(page: AppTest) -> AppTest:
    """The page with a picture on it, 100 tries chosen."""
    page.file_uploader[0].upload("meme.png", drawn(), "image/png")
    page.run()
    next(one for one in page.slider if one.label == "Pictures to try").set_value(100)
    return page.run()


def press(page: AppTest, label: str) -> AppTest:
    next(one for one in page.button if one.label == label).click()
    return page.run()


def labels(page: AppTest) -> list[str]:
    return [one.label for one in page.button]


@pytest.fixture
def halting(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What ends the next searches after their first round; where the list is empty, they run to their end. Streamlit ends a
    run by `StopException` for its own stop as well as for a click, which has the next run begin at once."""
    signals: list[Callable[[], object]] = []

    def attacked(*given: object, on_round: Callable[[Attack], None], **named: object) -> Attack:
        def told(so_far: Attack) -> None:
            on_round(so_far)
            if signals:
                signals.pop(0)()

        return pixel_attack.attack(*given, on_round=told, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pixels, "attack", attacked)
    return signals


def test_a_search_that_is_overtaken_before_it_begins_starts_again(page: AppTest) -> None:
    pixel_search(page)
    press(page, "Search for pixels")
    hunt = page.session_state["pixel_hunt"]
    page.session_state["pixel_hunt"] = Hunt(hunt.meme, 1, 100, "running")
    page.run()
    assert "81 pictures tried: the untouched one and 2 rounds of 40" in everything(page)
    assert "another round would have passed 100" in everything(page)
    assert "Stop" not in labels(page)


def test_a_search_that_was_stopped_shows_the_best_so_far(page: AppTest, halting: list[Callable[[], object]]) -> None:
    halting.append(st.stop)  # leaves the bar and its button as they stand, as in the middle of a search
    press(pixel_search(page), "Search for pixels")
    assert "Stop" in labels(page) and "**After**" not in everything(page)
    press(page, "Stop")
    assert "Stopped after 41 pictures of 100; this is the best of them." in everything(page)
    assert "**Before**" in everything(page) and "**After**" in everything(page)
    assert "Stop" not in labels(page) and "Start again" not in labels(page)


def test_a_search_that_was_interrupted_says_so_and_starts_again(
    page: AppTest, halting: list[Callable[[], object]]
) -> None:
    halting.append(st.stop)
    press(pixel_search(page), "Search for pixels")
    page.run()  # any click
    assert "The search was interrupted after 41 pictures of 100" in everything(page)
    assert "**After**" in everything(page)
    press(page, "Start again")
    assert "81 pictures tried" in everything(page)
    assert "interrupted" not in everything(page) and "Start again" not in labels(page)


def test_a_search_that_fails_is_not_tried_again(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def broken(*_: object, **__: object) -> None:
        calls.append(1)
        raise ValueError("no")

    monkeypatch.setattr(pixels, "attack", broken)
    press(pixel_search(page), "Search for pixels")
    page.run()
    assert len(calls) == 1 and not page.exception


def attacked(**named: object) -> Attack:
    image = Image.new("RGB", (9, 9))
    return Attack(**{"image": image, "before": 0.5, "after": 0.4, "fooled": False, "queries": 81, **named})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hunt", "said"),
    [
        (Hunt("m", 1, 100, "done", attacked(queries=41, fooled=True)), "41 pictures tried of 100: the verdict turned"),
        (
            Hunt("m", 1, 400, "done", attacked(queries=401)),
            "401 pictures tried: the untouched one and 10 rounds of 40.",
        ),
        (Hunt("m", 1, 400, "stopped"), "Stopped before the first pictures"),
    ],
)
def test_it_is_told_why_a_search_ended(hunt: Hunt, said: str) -> None:
    assert said in pixels.ended(hunt)


def test_the_line_that_is_attacked_is_the_one_of_the_head() -> None:
    told = pixels.aim(Bands(0.447, 0.758))
    assert "75.8%, elsewhere rounded to 76%" in told and "at 45%" in told
    assert "other line" not in pixels.aim(Bands(0.5, 0.5))
    assert "“Needs a human look” begins at 45% and “Hateful” at 76%" in perturbation.lines(Bands(0.447, 0.758))


def test_the_curve_names_its_zones(page: AppTest, analyzer: FakeAnalyzer) -> None:
    meme = Meme(None, Caption("I despise queues", "override"))
    change = CHANGES["typos"]
    points = tuple(sweep(analyzer, meme, change, steps=3))
    figure = perturbation.curve_chart(
        perturbation.Curve(points, smallest_flip(analyzer, meme, change, points)), change, 0.5, points[1].verdict
    )
    named = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert figure.layout.showlegend
    assert named[:3] == [name for name, *_ in zones(BANDS)]
    assert named[3:] == ["Smallest flip", "The slider's strength"]


def test_changed_pixels_are_told_by_place_and_colour() -> None:
    before = Image.new("RGB", (9, 9))
    after = before.copy()
    after.putpixel((7, 2), (255, 0, 128))
    assert r"(7, 2) is now \#ff0080" in pixels.where(changed(before, after))
    assert "as it was" in pixels.where(changed(before, before))


def test_curves_are_computed_once(page: AppTest, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    score = analyzer.score
    monkeypatch.setattr(analyzer, "score", lambda memes: asked.append(len(memes)) or score(memes), raising=False)
    type_words(page, "I despise queues")
    first = len(asked)
    page.slider[0].set_value(0.2)
    page.run()
    assert len(asked) == first + 1  # the shown meme alone
