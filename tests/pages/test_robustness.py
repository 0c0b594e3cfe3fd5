"""The Robustness page through its front door: each change, its curve, the flip, the pixel attack."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from components.explore import perturbation
from components.explore import pixel_attack as pixels
from components.explore.pixel_attack import AttackRun
from components.shared.verdict import zones
from models.analysis import Bands, Caption, Meme
from models.robustness import pixel_attack
from models.robustness.changes import CHANGES, smallest_flip, sweep
from models.robustness.pixel_attack import Attack, changed
from tests import wordings
from tests.app_for_tests import everything, open_page
from tests.conftest import drawn
from tests.fakes import BANDS, FakeAnalyzer


@pytest.fixture
def page(analyzer: FakeAnalyzer) -> AppTest:
    return open_page("pages/explore/robustness.py")


def type_words(at: AppTest, words: str) -> AppTest:
    at.chat_input[0].set_value(words)
    return at.run()


def choose(at: AppTest, name: str) -> AppTest:
    at.segmented_control[0].set_value(name)
    return at.run()


def test_without_a_meme_it_asks_for_one(page: AppTest) -> None:
    assert page.title[0].value == wordings.HOW_MUCH_DOES_IT_TAKE_TO_FOOL
    assert len(page.file_uploader) == 1


def test_words_alone_offer_the_changes_of_words(page: AppTest) -> None:
    type_words(page, "I despise queues")
    options = page.segmented_control[0].options
    assert len(options) == sum(change.side == "words" for change in CHANGES.values())
    assert wordings.NO_PICTURE_SO_THERE_IS_NO_PIXEL in everything(page)


def test_typos_flip_the_verdict_and_the_smallest_change_is_told(page: AppTest) -> None:
    type_words(page, "I despise queues")
    choose(page, "typos")
    assert not page.exception
    said = everything(page)
    assert wordings.SMALLEST_CHANGE_THAT_FLIPS_THE_VERDICT in said
    assert "“Hateful”" in said and wordings.NOT_HATEFUL_2 in said


def test_a_change_that_does_nothing_says_so(page: AppTest) -> None:
    type_words(page, "mm")
    choose(page, "leetspeak")
    assert wordings.NOTHING_IN_THESE_WORDS in everything(page)
    assert wordings.NO_STRENGTH_OF_THIS_CHANGE_FLIPS in everything(page)


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
    assert wordings.AFTER_5_OF_5_WORDS in everything(page)


def test_the_pixel_attack_shows_the_pair(page: AppTest) -> None:
    page.file_uploader[0].upload("meme.png", drawn(), "image/png")
    page.run()
    tries = next(element for element in page.slider if element.label == wordings.PICTURES_TO_TRY)
    tries.set_value(100)
    page.run()
    next(element for element in page.button if element.label == wordings.SEARCH_FOR_PIXELS).click()
    page.run()
    assert not page.exception
    said = everything(page)
    assert wordings.PICTURES_TRIED in said
    assert wordings.BEFORE in said and wordings.AFTER in said
    assert (
        wordings.PIXELS_CHANGED_COUNTED_FROM_THE_UPPER_LEFT in said
        or wordings.NO_PIXEL_BROUGHT_THE_SCORE_ANY_CLOSER in said
    )


def pixel_search(page: AppTest) -> AppTest:
    """The page with a picture on it, 100 tries chosen."""
    page.file_uploader[0].upload("meme.png", drawn(), "image/png")
    page.run()
    next(element for element in page.slider if element.label == wordings.PICTURES_TO_TRY).set_value(100)
    return page.run()


def press(page: AppTest, label: str) -> AppTest:
    next(element for element in page.button if element.label == label).click()
    return page.run()


def labels(page: AppTest) -> list[str]:
    return [element.label for element in page.button]


@pytest.fixture
def halting(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What ends the next searches after their first round; where the list is empty, they run to their end. Streamlit ends a
    run by `StopException` for its own stop as well as for a click, which has the next run begin at once."""
    signals: list[Callable[[], object]] = []

    def attacked(*given: object, on_round: Callable[[Attack], None], **named: object) -> Attack:
        def after_round(so_far: Attack) -> None:
            on_round(so_far)
            if signals:
                signals.pop(0)()

        return pixel_attack.attack(*given, on_round=after_round, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pixels, "attack", attacked)
    return signals


def test_a_search_that_is_overtaken_before_it_begins_starts_again(page: AppTest) -> None:
    pixel_search(page)
    press(page, wordings.SEARCH_FOR_PIXELS)
    run = page.session_state["pixel_attack"]
    page.session_state["pixel_attack"] = AttackRun(run.meme, 1, 100, "running")
    page.run()
    assert wordings.N_81_PICTURES_TRIED_THE_UNTOUCHED_ONE_AND in everything(page)
    assert wordings.ANOTHER_ROUND_WOULD_HAVE_PASSED_100 in everything(page)
    assert wordings.STOP not in labels(page)


def test_a_search_that_was_stopped_shows_the_best_so_far(page: AppTest, halting: list[Callable[[], object]]) -> None:
    halting.append(st.stop)  # leaves the bar and its button as they stand, as in the middle of a search
    press(pixel_search(page), wordings.SEARCH_FOR_PIXELS)
    assert wordings.STOP in labels(page) and wordings.AFTER not in everything(page)
    press(page, wordings.STOP)
    assert wordings.STOPPED_AFTER_41_PICTURES_OF_100_THIS in everything(page)
    assert wordings.BEFORE in everything(page) and wordings.AFTER in everything(page)
    assert wordings.STOP not in labels(page) and wordings.START_AGAIN not in labels(page)


def test_a_search_that_was_interrupted_says_so_and_starts_again(
    page: AppTest, halting: list[Callable[[], object]]
) -> None:
    halting.append(st.stop)
    press(pixel_search(page), wordings.SEARCH_FOR_PIXELS)
    page.run()  # any click
    assert wordings.THE_SEARCH_WAS_INTERRUPTED_AFTER_41_PICTURES in everything(page)
    assert wordings.AFTER in everything(page)
    press(page, wordings.START_AGAIN)
    assert wordings.N_81_PICTURES_TRIED in everything(page)
    assert wordings.INTERRUPTED not in everything(page) and wordings.START_AGAIN not in labels(page)


def test_a_search_that_fails_is_not_tried_again(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def broken(*_: object, **__: object) -> None:
        calls.append(1)
        raise ValueError("no")

    monkeypatch.setattr(pixels, "attack", broken)
    press(pixel_search(page), wordings.SEARCH_FOR_PIXELS)
    page.run()
    assert len(calls) == 1 and not page.exception


def attacked(**named: object) -> Attack:
    image = Image.new("RGB", (9, 9))
    return Attack(**{"image": image, "before": 0.5, "after": 0.4, "fooled": False, "queries": 81, **named})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            AttackRun("m", 1, 100, "done", attacked(queries=41, fooled=True)),
            wordings.N_41_PICTURES_TRIED_OF_100_THE_VERDICT,
        ),
        (AttackRun("m", 1, 400, "done", attacked(queries=401)), wordings.N_401_PICTURES_TRIED_THE_UNTOUCHED_ONE_AND),
        (AttackRun("m", 1, 400, "stopped"), wordings.STOPPED_BEFORE_THE_FIRST_PICTURES),
    ],
)
def test_it_is_told_why_a_search_ended(run: AttackRun, said: str) -> None:
    assert said in pixels.ended(run)


def test_the_line_that_is_attacked_is_the_one_of_the_head() -> None:
    said = pixels.aim(Bands(0.447, 0.758))
    assert wordings.N_75_8_PERCENT_ELSEWHERE_ROUNDED_TO_76 in said and wordings.AT_45_PERCENT in said
    assert wordings.OTHER_LINE not in pixels.aim(Bands(0.5, 0.5))
    assert wordings.NEEDS_A_HUMAN_LOOK_BEGINS_AT_45 in perturbation.describe_bands(Bands(0.447, 0.758))


def test_the_curve_names_its_zones(page: AppTest, analyzer: FakeAnalyzer) -> None:
    meme = Meme(None, Caption("I despise queues", "override"))
    change = CHANGES["typos"]
    points = tuple(sweep(analyzer, meme, change, steps=3))
    figure = perturbation.curve_chart(
        perturbation.Curve(points, smallest_flip(analyzer, meme, change, points)), meme, change, 0.5, points[1].verdict
    )
    named = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert figure.layout.showlegend
    assert named[:3] == [name for name, *_ in zones(BANDS)]
    assert named[3:] == [wordings.SMALLEST_FLIP, wordings.THE_SLIDERS_STRENGTH]


def test_changed_pixels_are_told_by_place_and_colour() -> None:
    before = Image.new("RGB", (9, 9))
    after = before.copy()
    after.putpixel((7, 2), (255, 0, 128))
    assert wordings.N_7_2_IS_NOW_FF0080 in pixels.where(changed(before, after))
    assert wordings.AS_IT_WAS in pixels.where(changed(before, before))


def test_curves_are_computed_once(page: AppTest, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    score = analyzer.score
    monkeypatch.setattr(analyzer, "score", lambda memes: scored.append(len(memes)) or score(memes), raising=False)
    type_words(page, "I despise queues")
    first = len(scored)
    page.slider[0].set_value(0.2)
    page.run()
    assert len(scored) == first + 1  # the shown meme alone
