"""The Batch page through its front door: files in, a table out, found again by its address."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from components.batch import results
from components.shared import pictures
from components.shared.escaping import for_markdown
from models.io.flat_row import Row
from models.io.uploads import UPLOADS
from serving.batch import jobs as batches
from tests import wordings
from tests.app_for_tests import open_page
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer

TABLE = b"image,caption\na.png,I despise queues\nb.png,kind words\nc.png,maybe\n"


@pytest.fixture(autouse=True)
def jobs(analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> batches.Jobs:
    """A server without batches."""
    jobs = batches.Jobs()
    monkeypatch.setattr(batches, "JOBS", jobs)
    return jobs


def opened(job: str = "") -> AppTest:
    at = open_page("pages/batch/batch.py")
    if job:
        at.query_params["job"] = job
        at.run()
    assert not at.exception
    return at


def press(at: AppTest, label: str) -> AppTest:
    next(element for element in at.button if label in element.label).click()
    return at.run()


def finished(at: AppTest) -> AppTest:
    until = time.monotonic() + 60
    while not any(wordings.DELETE in element.label for element in at.button):
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
    return finished(press(at, wordings.JUDGE_THEM))


def test_files_become_a_table() -> None:
    at = judged()
    assert at.title[0].value == wordings.YOUR_BATCH
    shown = at.dataframe[0].value
    assert list(shown[wordings.FILE]) == ["a.png", "b.png", "c.png"]
    assert list(shown[wordings.VERDICT]) == [wordings.HATEFUL, wordings.ERROR, wordings.ERROR]
    assert shown[wordings.PICTURE][0].startswith("data:image/webp;base64,")
    assert {metric.label: metric.value for metric in at.metric} == {
        wordings.HATEFUL: "1",
        wordings.NEEDS_A_HUMAN_LOOK: "0",
        wordings.NOT_HATEFUL: "0",
        wordings.ERRORS: "2",
    }
    assert wordings.N_3_OF_3 in at.get("progress")[0].proto.text


def test_another_visit_finds_it_by_its_address_and_nobody_else_does() -> None:
    at = judged()
    address = at.query_params["job"]
    assert opened(address).title[0].value == wordings.YOUR_BATCH
    assert opened().title[0].value == wordings.MANY_MEMES_AT_ONCE
    stranger = opened("guessed")
    assert wordings.NOT_THERE_ANY_MORE in stranger.info[0].value
    press(at, wordings.DELETE)
    assert at.title[0].value == wordings.MANY_MEMES_AT_ONCE
    assert wordings.NOT_THERE_ANY_MORE in opened(address).info[0].value


def test_nothing_chosen_and_nothing_usable_are_told() -> None:
    at = press(opened(), wordings.JUDGE_THEM)
    assert wordings.CHOOSE_SOME_FILES in at.error[0].value
    at.file_uploader[0].set_value([("t.csv", b"who\n1\n", "text/csv")])
    press(at, wordings.JUDGE_THEM)
    assert wordings.NO_COLUMN in at.error[0].value


def test_a_file_that_was_refused_on_its_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UPLOADS, "refusals", {"test session id": "No room"})
    at = press(opened(), wordings.JUDGE_THEM)
    assert at.error[0].value == "No room"
    press(at, wordings.JUDGE_THEM)
    assert wordings.CHOOSE_SOME_FILES in at.error[0].value


def test_the_switch_blurs_the_thumbnails_on_the_server() -> None:
    at = judged()
    clear = at.dataframe[0].value[wordings.PICTURE][0]
    at.session_state[pictures.BLUR] = True
    at.run()
    assert at.dataframe[0].value[wordings.PICTURE][0] != clear


def test_bands_and_orders() -> None:
    rows = [
        Row("a", "ok", "hateful", 0.9, 2.0, 0.1),
        Row("b", "error", error="x"),
        Row("c", "ok", "not_hateful", 0.1, -2.0, 0.9),
        Row("d", "ok", "hateful", 0.8, 1.5, 0.2),
    ]
    assert results.select(rows, results.ALL, wordings.AS_GIVEN) == [0, 1, 2, 3]
    assert results.select(rows, wordings.HATEFUL, wordings.LEAST_HATEFUL_FIRST) == [3, 0]
    assert results.select(rows, results.ERRORS, wordings.MOST_HATEFUL_FIRST) == [1]
    assert results.select(rows, results.ALL, wordings.MOST_HATEFUL_FIRST) == [0, 3, 2, 1]
    assert results.select(rows, results.ALL, wordings.LEAST_HATEFUL_FIRST) == [2, 3, 0, 1]
    assert results.select(rows, results.ALL, wordings.MOST_HARMFUL_FIRST) == [2, 3, 0, 1]


def test_names_are_counted_and_chosen_by() -> None:
    rows = [
        Row("a", "ok", "hateful", 0.9, 2.0, 0.1, systems={"group": "Muslims; Women", "kind": "Threat"}),
        Row("b", "error", error="x"),
        Row("c", "ok", "not_hateful", 0.1, -2.0, 0.9, systems={"group": "Women", "kind": ""}),
        Row("d", "ok", "hateful", 0.8, 1.5, 0.2, systems={"group": "none", "kind": "none"}),
    ]
    assert results.count_names(rows, "group") == {"Women": 2, "Muslims": 1, "none": 1}
    assert results.count_names(rows, "kind") == {"Threat": 1, "none": 1}

    def chosen(**names: str) -> list[int]:
        return results.select(rows, results.ALL, wordings.AS_GIVEN, names)

    assert chosen(group="Women") == [0, 2]
    assert chosen(group="Women", kind="Threat") == chosen(group="Muslims", kind=results.ALL) == [0]
    assert chosen(group="none") == [3]
    assert chosen(group="Jews") == []
    assert results.select(rows, wordings.NOT_HATEFUL, wordings.AS_GIVEN, {"group": "Women"}) == [2]


def test_a_table_with_groups_can_be_narrowed() -> None:
    def script(rows: object) -> None:
        from components.batch import results

        results.table(rows, [None, None], ["group"])

    rows = [
        Row("a", "ok", "hateful", 0.9, 2.0, 0.1, systems={"group": "Muslims; Women"}),
        Row("c", "ok", "not_hateful", 0.1, -2.0, 0.9, systems={"group": "Women"}),
    ]
    at = AppTest.from_function(script, args=(rows,)).run()
    assert not at.exception
    assert at.markdown[0].value == wordings.SPEAK_OF_WOMEN_2_MUSLIMS_1
    assert wordings.KINDLY_OR_NOT in at.caption[0].value
    at.selectbox(key="batch_group").select("Muslims").run()
    assert list(at.dataframe[0].value[wordings.FILE]) == ["a"]


def test_a_ticked_row_is_told_whole() -> None:
    def script(row: object) -> None:
        from components.batch import results

        results.draw_row(row)

    long = " ".join(["word"] * 400)
    at = AppTest.from_function(script, args=(Row("a*b*.png", "ok", "hateful", 0.9, 2.0, 0.1, caption=long),)).run()
    assert f">{long}<" in at.html[0].value
    assert at.markdown[0].value == f"**{for_markdown('a*b*.png')}**: {wordings.HATEFUL}"
    at = AppTest.from_function(script, args=(Row("b.png", "error", error="It is damaged."),)).run()
    assert ">It is damaged.<" in at.html[0].value
    assert at.markdown[0].value == f"**{for_markdown('b.png')}**: {wordings.ERROR}"
