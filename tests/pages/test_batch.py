"""The Batch page through its front door: files in, a table out, found again by its address."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from components.batch import results
from components.shared import engine, pictures
from components.shared.escaping import for_markdown
from models.io.flat_row import Row
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer

APP = str(Path(__file__).resolve().parents[2] / "app.py")
TABLE = b"image,caption\na.png,I despise queues\nb.png,kind words\nc.png,maybe\n"


@pytest.fixture(autouse=True)
def analyzer(monkeypatch: pytest.MonkeyPatch) -> FakeAnalyzer:
    import streamlit as st

    fake = FakeAnalyzer()
    monkeypatch.setattr(engine, "analyzer", lambda: fake)
    st.cache_resource.clear()
    return fake


def opened(job: str = "") -> AppTest:
    at = AppTest.from_file(APP, default_timeout=60).run()
    at.switch_page("pages/batch/batch.py").run()
    if job:
        at.query_params["job"] = job
        at.run()
    assert not at.exception
    return at


def press(at: AppTest, label: str) -> AppTest:
    next(one for one in at.button if label in one.label).click()
    return at.run()


def finished(at: AppTest) -> AppTest:
    until = time.monotonic() + 60
    while not any("Delete" in one.label for one in at.button):
        assert time.monotonic() < until, "the batch took too long"
        time.sleep(0.1)
        at.run()
    assert not at.exception
    return at


def judged() -> AppTest:
    at = opened()
    at.file_uploader[0].set_value(
        [("a.png", drawn(), "image/png"), ("b.png", b"no", "image/png"), ("t.csv", TABLE, "text/csv")]
    )
    return finished(press(at, "Judge them"))


def test_files_become_a_table() -> None:
    at = judged()
    assert at.title[0].value == "Your batch"
    shown = at.dataframe[0].value
    assert list(shown["File"]) == ["a.png", "b.png", "c.png"]
    assert list(shown["Verdict"]) == ["Hateful", "Error", "Error"]
    assert shown["Picture"][0].startswith("data:image/webp;base64,")
    assert {metric.label: metric.value for metric in at.metric} == {
        "Hateful": "1",
        "Needs a human look": "0",
        "Not hateful": "0",
        "Errors": "2",
    }
    assert "3 of 3" in at.get("progress")[0].proto.text


def test_another_visit_finds_it_by_its_address_and_nobody_else_does() -> None:
    at = judged()
    address = at.query_params["job"]
    assert opened(address).title[0].value == "Your batch"
    assert opened().title[0].value == "Many memes at once"
    stranger = opened("guessed")
    assert "not there any more" in stranger.info[0].value
    press(at, "Delete")
    assert at.title[0].value == "Many memes at once"
    assert "not there any more" in opened(address).info[0].value


def test_nothing_chosen_and_nothing_usable_are_told() -> None:
    at = press(opened(), "Judge them")
    assert "choose some files" in at.error[0].value
    at.file_uploader[0].set_value([("t.csv", b"who\n1\n", "text/csv")])
    press(at, "Judge them")
    assert "no column" in at.error[0].value


def test_the_switch_blurs_the_thumbnails_on_the_server() -> None:
    at = judged()
    clear = at.dataframe[0].value["Picture"][0]
    at.session_state[pictures.BLUR] = True
    at.run()
    assert at.dataframe[0].value["Picture"][0] != clear


def test_bands_and_orders() -> None:
    rows = [
        Row("a", "ok", "hateful", 0.9, 2.0, 0.1),
        Row("b", "error", error="x"),
        Row("c", "ok", "not_hateful", 0.1, -2.0, 0.9),
        Row("d", "ok", "hateful", 0.8, 1.5, 0.2),
    ]
    assert results.picked(rows, results.ALL, "As given") == [0, 1, 2, 3]
    assert results.picked(rows, "Hateful", "Least hateful first") == [3, 0]
    assert results.picked(rows, results.ERRORS, "Most hateful first") == [1]
    assert results.picked(rows, results.ALL, "Most hateful first") == [0, 3, 2, 1]
    assert results.picked(rows, results.ALL, "Least hateful first") == [2, 3, 0, 1]
    assert results.picked(rows, results.ALL, "Most harmful first") == [2, 3, 0, 1]


def test_a_ticked_row_is_told_whole() -> None:
    def script(row: object) -> None:
        from components.batch import results

        results.whole(row)

    long = " ".join(["word"] * 400)
    at = AppTest.from_function(script, args=(Row("a*b*.png", "ok", "hateful", 0.9, 2.0, 0.1, caption=long),)).run()
    assert (at.text[0].value, at.markdown[0].value) == (long, f"**{for_markdown('a*b*.png')}**: Hateful")
    at = AppTest.from_function(script, args=(Row("b.png", "error", error="It is damaged."),)).run()
    assert (at.text[0].value, at.markdown[0].value) == ("It is damaged.", f"**{for_markdown('b.png')}**: Error")
