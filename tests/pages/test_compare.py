"""The Compare page through the app's front door."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from components.compare import comparison
from components.compare.comparison import ClassAnswer, ModelAnswers
from models.classifiers.multitask import Answer, titled
from tests import wordings
from tests.app_for_tests import APP, fine, open_page
from tests.conftest import drawn

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The cells as they are read: backslashes and word joiners only keep Markdown from seeing marks in them."""
    return table.map(lambda cell: cell.replace("\\", "").replace("\u2060", ""))


def compare(words: str) -> AppTest:
    app = fine(open_page("pages/compare/compare.py"))
    assert wordings.GIVE_A_PICTURE in app.info[0].value
    app.text_area(key="compare-words").set_value(words).run()
    return fine(app)


def test_compare_sets_systems_side_by_side(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = compare("we love mondays")
    assert any(wordings.WRITTEN_BY_YOU in element.value for element in app.markdown)
    answers, systems = (plain(table.value) for table in app.table)
    assert list(systems[wordings.SYSTEM]) == [
        wordings.SUBTEXTS_OWN_VERDICT,
        wordings.MEMOTION_BILSTM,
        wordings.MEMOTION_GATED_MULTIMODAL_UNIT,
    ]
    assert systems[wordings.READS][1] == wordings.WORDS_WORDS_EMBEDDINGS_OF_ITS_OWN_TRAINED
    assert all(time.endswith(("ms", "s")) for time in systems[wordings.TIME])
    assert "sentiment" in set(answers[wordings.QUESTION])
    for title in ("BiLSTM", wordings.GATED_MULTIMODAL_UNIT):
        assert answers[wordings.GIVEN_BY].str.contains(rf"{title} \*\*\d+%\*\*").any()


@pytest.mark.parametrize(
    ("words", "answer", "hate"),
    [("we love mondays", wordings.NOT_HATEFUL, "12%"), ("I despise queues", wordings.HATEFUL, "82%")],
)
def test_compare_begins_with_the_verdict(
    words: str, answer: str, hate: str, shelf: Path, analyzer: FakeAnalyzer
) -> None:
    first = compare(words).table[0].value.iloc[0]
    assert (first[wordings.QUESTION], first[wordings.ANSWER]) == (
        wordings.HATEFUL_OR_NOT_SMALL_PERCENT_FOR_HATE,
        f"**{answer}**",
    )
    assert first[wordings.GIVEN_BY] == f"{wordings.SUBTEXTS_OWN_VERDICT} **{hate}**"


def help_told(app: AppTest) -> int:
    """How often the page says that an answer is no diagnosis, with where to find help."""
    return sum(
        wordings.NOT_A_DIAGNOSIS in element.value and "findahelpline.com" in element.value for element in app.markdown
    )


def test_compare_answers_about_mental_health_only_where_asked_and_with_care(
    shelf: Path, analyzer: FakeAnalyzer
) -> None:
    app = compare("we love mondays")
    assert "mental_health_stress" not in app.multiselect(key="systems").value
    assert not app.table[0].value[wordings.QUESTION].str.contains("stress").any() and help_told(app) == 0
    app.multiselect(key="systems").set_value(["memotion_gmu", "mental_health_target"]).run()
    assert help_told(fine(app)) == 0  # whom a meme is aimed at says nothing about anybody's health
    app.multiselect(key="systems").set_value(["memotion_gmu", "mental_health_stress"]).run()
    questions = list(plain(fine(app).table[0].value)[wordings.QUESTION])
    assert any(element.startswith(wordings.STRESS_SMALL_PERCENT_FOR) for element in questions) and "domain" in questions
    assert help_told(app) == 1
    assert any(wordings.WHAT_STRESS_IN_A_TEXT_ANSWERS_TELLS in element.value for element in app.markdown)


def test_nothing_about_mental_health_is_picked_for_the_visitor() -> None:
    known = {
        "mental_health_axiom": comparison.Choice("A", frozenset({"axiom"})),
        "mental_health_restore": comparison.Choice("R", frozenset({"restore"})),
        "mental_health_target": comparison.Choice("T", frozenset({"target"})),
    }
    assert comparison.preferred(known) == ["mental_health_target"]
    assert comparison.preferred(known | {"memotion_gmu": comparison.Choice("M", frozenset())}) == ["memotion_gmu"]


@pytest.mark.parametrize("task", ["axiom", "restore", "stress-domain"])
def test_care_is_told_once_for_all_that_answer_about_mental_health(task: str) -> None:
    def script(task: str) -> None:
        from components.compare import comparison

        answers = {"q": comparison.ClassAnswer("x", 0.6)}
        first = comparison.ModelAnswers("A", "words", 1.0, answers, tasks=frozenset({task}))
        second = comparison.ModelAnswers("B", "words", 1.0, answers, tasks=frozenset({"stress"}))
        comparison.draw([first, second])

    app = fine(AppTest.from_function(script, args=(task,)).run())
    assert help_told(app) == 1
    assert any(wordings.WHAT_A_AND_B_ANSWER_TELLS in element.value for element in app.markdown)


def counted(app: AppTest) -> bool:
    """Whether the page says that the upload counts before the sample."""
    return any(wordings.THE_PICTURE_COUNTS_AS_LONG_AS_THERE in element.value for element in app.caption)


def test_compare_keeps_what_was_chosen_for_the_visit(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = compare("we love mondays")
    app.multiselect(key="systems").set_value(["memotion_bilstm"])
    app.selectbox(key="compare-sample").select("First try")
    app.file_uploader(key="compare-picture").upload("mine.png", drawn(), "image/png")
    app.run()
    app.switch_page("pages/analyze/meme.py").run()
    app.switch_page("pages/compare/compare.py").run()
    fine(app)
    assert app.text_area(key="compare-words").value == "we love mondays"
    assert app.multiselect(key="systems").value == ["memotion_bilstm"]
    assert app.selectbox(key="compare-sample").value == "First try"
    assert app.session_state["compare-file"] == ("mine.png", drawn())
    assert counted(app)
    app.button(key="compare-remove").click().run()
    assert not counted(fine(app))
    other = fine(open_page("pages/compare/compare.py"))  # another visitor
    assert other.text_area(key="compare-words").value == "" and "compare-file" not in other.session_state


def test_the_systems_disagreements_are_counted() -> None:
    first = ModelAnswers(
        "A",
        "",
        1.0,
        {"humour": ClassAnswer("funny", 0.6), "offence": ClassAnswer("none", 0.5), "alone": ClassAnswer("x", 1.0)},
    )
    second = ModelAnswers("B", "", 1.0, {"humour": ClassAnswer("not_funny", 0.7), "offence": ClassAnswer("none", 0.4)})
    assert comparison.summary([first, second]).startswith(wordings.THEY_DISAGREE_ON_1_OF_THE_2)
    assert comparison.summary([first, first]) == wordings.THEY_AGREE_ON_ALL_3_QUESTIONS_THAT
    assert comparison.summary([first]).startswith(wordings.NO_TWO)
    rows = comparison.answer_rows([first, second])
    assert [(row[wordings.QUESTION], row[wordings.ANSWER], row[wordings.GIVEN_BY]) for row in rows[:3]] == [
        ("humour", "**funny**", "A **60%**"), ("", "**not funny**", "B **70%**"), ("offence", "**none**", "A **50%**, B **40%**")
    ]  # fmt: skip


def test_of_two_classes_all_tell_how_probable_the_same_one_is() -> None:
    yes = Answer("memotion-types", "humour", {"not_funny": 0.22, "humour": 0.78}, "humour")
    no = Answer("memotion-types", "humour", {"not_funny": 0.24, "humour": 0.76}, "not_funny")
    models = [ModelAnswers(name, "", 1.0, comparison.by_question([answer])) for name, answer in (("a", yes), ("b", no))]
    assert [tuple(row.values()) for row in comparison.answer_rows(models)] == [
        (wordings.HUMOUR_YES_OR_NO_SMALL_PERCENT_FOR, "**humour**", "a **78%**"), ("", "**not funny**", "b **76%**")
    ]  # fmt: skip
    several = Answer("target", "target", {"nobody": 0.2, "individual": 0.3, "society": 0.5}, "society")
    assert comparison.by_question([several]) == {"target": ClassAnswer("society", 0.5)}
    much = Answer("memotion-humour", "humour", {"not_funny": 0.2, "funny": 0.5, "very_funny": 0.3}, "funny")
    assert comparison.by_question([much, yes]).keys() == {wordings.HUMOUR_HOW_MUCH, wordings.HUMOUR_YES_OR_NO}


def test_a_title_says_what_stood_in_for_the_encoder_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(Path(APP).parent / "weights"))  # those that ship
    comparison.choices.clear()
    titles = {name: element.title for name, element in comparison.choices().items()}
    assert titled("A", {"text": "mini", "image": "torchvision:resnet50"}) == "A"
    assert (
        titled("Memotion: ResNet", {"image": "timm:resnet10t from scratch (the recipe's …)"})
        == wordings.MEMOTION_RESNET_HERE_RESNET10T
    )
    assert titles["memotion_roberta"] == wordings.MEMOTION_ROBERTA_HERE_MINI
    assert titles["sentiment_resnet_bert"] == wordings.SENTIMENT_RESNET50_BERT_HERE_MINI
    assert titles["memotion_gmu"] == wordings.MEMOTION_GATED_MULTIMODAL_UNIT
    comparison.choices.clear()
