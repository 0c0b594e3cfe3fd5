"""The Evaluation page and Other lenses, through the app's front door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from components.evaluate import published
from tests import wordings
from tests.app_for_tests import APP, fine, open_app, open_page
from training.tasks import registry

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer


ROOT = Path(APP).parent
EVALUATION = "pages/evaluation/models.py"


def view(name: str) -> AppTest:
    """The Evaluation page with another view than the one it opens on."""
    app = open_page(EVALUATION)
    return app.button_group(key="view").set_value(name).run()


def test_evaluation_reads_what_runs_wrote(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page(EVALUATION))
    table = app.dataframe[0].value
    assert set(table[wordings.TASK]) >= {"memotion-types", "target"}
    stored = json.loads((shelf / "mental_health_target" / "metrics.json").read_text())["target, out of fold"]
    row = table[table[wordings.TASK] == "target"].iloc[0]
    assert row["Macro-F1"] == pytest.approx(stored["macro_f1"])
    assert row[wordings.ALWAYS_THE_COMMONEST] == pytest.approx(stored["macro_f1_majority"])
    app.multiselect(key="tasks").select("target").run()
    assert set(fine(app).dataframe[0].value[wordings.TASK]) == {"target"}


def test_evaluation_opens_on_the_verdict(shelf: Path, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(ROOT / "weights"))  # those that ship
    chosen = fine(open_page(EVALUATION)).selectbox(key="model")
    verdict = registry.TASKS["hate"].model_title
    assert verdict in chosen.options
    assert chosen.value == verdict


def test_each_model_and_task_draws(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page(EVALUATION))
    for title in app.selectbox(key="model").options:
        app.selectbox(key="model").select(title).run()
        fine(app)
    app.selectbox(key="model").select(wordings.MEMOTION_GATED_MULTIMODAL_UNIT).run()
    for task in app.selectbox(key="task-memotion_gmu").options:
        app.selectbox(key="task-memotion_gmu").select(task).run()
        fine(app)


def labels(app: AppTest) -> list[str]:
    return [tab.label.rpartition(": ")[2] for tab in app.tabs]


def test_only_tabs_with_something_in_them(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page(EVALUATION))
    app.selectbox(key="model").select(wordings.WHOM_A_MEME_IS_AIMED_AT).run()
    assert labels(fine(app)) == wordings.TABS_OF_A_MODEL
    [line] = [element.value for element in app.caption if wordings.NOT_HERE in element.value]
    assert "published" in line and "SUBTEXT_DATA" in line and wordings.LEARNING_CURVES not in line
    assert not app.info
    (shelf / "mental_health_target" / "predictions.npz").rename(shelf / "aside.npz")
    try:
        assert labels(fine(app.run())) == wordings.TABS_WITHOUT_PREDICTIONS
        [line] = [element.value for element in app.caption if wordings.NOT_HERE in element.value]
        assert wordings.PYTHON_M_TRAINING_FIT_MENTAL_HEALTH_TARGET in line
    finally:
        (shelf / "aside.npz").rename(shelf / "mental_health_target" / "predictions.npz")


def test_published_figures_stand_beside_ours_with_their_source(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page(EVALUATION))
    app.selectbox(key="model").select(wordings.MEMOTION_GATED_MULTIMODAL_UNIT).run()
    app.selectbox(key="task-memotion_gmu").select("memotion-sentiment").run()
    assert wordings.PUBLISHED in labels(fine(app))
    [table] = [element.value for element in app.table if wordings.SOURCE in element.value]
    assert table[wordings.SOURCE].iloc[0] == "Sharma et al. 2020" and table[wordings.VALUE].iloc[0] == "0.355"
    assert "metrics.json of memotion_gmu" in set(table[wordings.SOURCE])
    assert wordings.THE_LABEL_OF_ANOTHER_COPY_OF_THE in set(table[wordings.SYSTEM])
    assert any(
        wordings.COHENS_KAPPA in element.value and wordings.EACH_ANNOTATED_FOR_ITSELF in element.value
        for element in app.caption
    )


def test_what_copies_tell_is_shown_as_it_was_measured_and_left_out_where_the_file_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stored = json.loads(published.NEAR_COPIES.read_text())
    for task in ("memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity", "target"):
        assert published.near_copies(task) == stored[task] and stored[task]["groups"] >= 20
    assert published.near_copies("stress-domain") == {}
    for broken in (tmp_path / "missing.json", tmp_path / "broken.json"):
        (tmp_path / "broken.json").write_text("{")
        monkeypatch.setattr(published, "NEAR_COPIES", broken)
        assert published.near_copies("memotion-sentiment") == {}


def test_a_figure_without_a_paper_says_so_and_what_it_is_worth() -> None:
    [reported] = published.of("memotion-polarity")
    assert wordings.WITHOUT_A_PAPER in reported["source"] and wordings.ALWAYS_ANSWERING_POSITIVE in reported["source"]
    ships = ROOT / "weights" / "sentiment_resnet_bert" / "metrics.json"
    guessing = json.loads(ships.read_text())["memotion-polarity, validation"]["macro_f1_majority"]
    assert reported["value"] == pytest.approx(guessing, abs=0.01)  # on other rows


def test_a_suite_is_in_sight_and_its_answers_stay(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page(EVALUATION))
    app.selectbox(key="model").select(wordings.MEMOTION_GATED_MULTIMODAL_UNIT).run()
    app.button_group(key="view").set_value(wordings.FUNCTIONAL_TEST_SUITE).run()
    assert "model" not in [element.key for element in fine(app).selectbox]
    rows = b"functionality,test_case,label_gold,target_ident\nslur_h,I despise them,hateful,women\n"
    app.file_uploader(key="suite").upload("cases.csv", rows, "text/csv").run()
    said = [element.value for element in fine(app).markdown if wordings.OF_1_CASES in element.value]
    assert said and app.get("plotly_chart")
    app.button_group(key="view").set_value(wordings.TRAINED_MODELS).run()
    assert fine(app).selectbox(key="model").value == wordings.MEMOTION_GATED_MULTIMODAL_UNIT
    app.button_group(key="view").set_value(wordings.FUNCTIONAL_TEST_SUITE).run()
    assert [element.value for element in fine(app).markdown if wordings.OF_1_CASES in element.value] == said
    app.file_uploader(key="suite").upload("wrong.csv", b"a,b\n1,2\n", "text/csv").run()
    assert wordings.NO_COLUMN_FUNCTIONALITY in app.error[0].value
    assert not [element for element in app.markdown if wordings.OF_1_CASES in element.value]


def test_nothing_of_a_dropped_suite_is_markdown(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = view(wordings.FUNCTIONAL_TEST_SUITE)
    picture = "![x](https://example.org/a.png)"
    header, rows = "functionality,test_case,label_gold,target_ident", [f"{picture},{picture},{picture},{picture}"]
    rows += [f"{picture},{picture},hateful,{picture}"]
    app.file_uploader(key="suite").upload(f"a` {picture}.csv", "\n".join([header, *rows]).encode(), "text/csv").run()
    shown = [element.value for element in (*fine(app).markdown, *app.caption, *app.warning, *app.info)]
    assert sum("example" in text for text in shown) == 2  # the row that is left out, and the file's name
    assert not [text for text in shown if "![" in text or "](" in text or "https:/" in text]
    app.file_uploader(key="suite").upload("b.csv", f"a,{picture}\n1,2\n".encode(), "text/csv").run()
    assert "example" in app.error[0].value and "](" not in app.error[0].value


def test_a_threshold_moves_the_figures(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page(EVALUATION))
    app.selectbox(key="model").select(wordings.MEMOTION_GATED_MULTIMODAL_UNIT).run()
    app.selectbox(key="task-memotion_gmu").select("memotion-polarity").run()
    before = {element.label: element.value for element in app.metric}
    slider = next(element for element in app.slider if element.key.startswith("threshold-memotion-polarity"))
    slider.set_range(0.0, 1.0).run()
    after = {element.label: element.value for element in fine(app).metric}
    assert after[wordings.REVIEW_LOAD] == "100%"
    assert before != after


def test_thresholds_of_the_verdict_begin_where_the_app_has_them(
    shelf: Path, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(ROOT / "weights"))  # those that ship
    bands = json.loads((ROOT / "weights" / "hate_cross_attention" / "config.json").read_text())["bands"]
    app = fine(open_page(EVALUATION))
    assert list(app.dataframe[0].value.columns[:3]) == [wordings.MODEL, wordings.TASK, wordings.MEASURED_ON]
    assert app.dataframe[0].value[wordings.MODEL].iloc[0] == registry.TASKS["hate"].model_title
    assert wordings.A_LINE_FOR_EACH_OF_THE_5 in [element.value for element in app.caption]
    [slider] = [element for element in app.slider if element.key.startswith("threshold-hate-")]
    assert slider.value == (round(bands["review_from"], 2), round(bands["hateful_from"], 2))
    said = " ".join(element.value for element in app.caption)
    assert wordings.OWN_THRESHOLDS.format(review_from=bands["review_from"]) in said
    assert said.count(wordings.ON_194_ROWS_RELIGIOUS_HATEFUL_VALIDATION) == 4  # of the curves to the thresholds
    app.selectbox(key="task-hate_cross_attention").select("harm").run()
    [slider] = [element for element in fine(app).slider if element.key.startswith("threshold-harm-")]
    assert wordings.THE_MODEL_ITSELF_ANSWERS_HARMFUL_FROM in " ".join(element.value for element in app.caption)


def test_damaged_figures_are_told_and_the_rest_is_shown(shelf: Path, analyzer: FakeAnalyzer) -> None:
    broken = shelf / "broken"
    broken.mkdir()
    (broken / "metrics.json").write_text("{")
    try:
        app = open_page(EVALUATION)
        assert not app.exception
        assert "weights/broken" in app.error[0].value
        assert len(app.dataframe[0].value)
    finally:
        (broken / "metrics.json").unlink()
        broken.rmdir()


def test_evaluation_shows_search_and_feelings_of_photographs(shelf: Path, analyzer: FakeAnalyzer) -> None:
    search = {
        "flickr8k, validation": {
            "rows": 1000, "image_to_text_r1": 23.4, "image_to_text_r1_low": 21.0, "image_to_text_r1_high": 26.0,
            "image_to_text_r1_chance": 0.1, "image_to_text_median_rank": 7.0, "matching_accuracy": 95.0,
        },
        "flickr8k, validation, baseline": {"rows": 1000, "image_to_text_r1": 9.0},
    }  # fmt: skip
    feelings = {"84 validation rows": {"valence_pearson": 0.61, "valence_mae": 0.75, "valence_mae_majority": 1.03}}
    with figures_of(shelf, joint_picture=search, picture_emotions=feelings):
        app = fine(view(wordings.PHOTOGRAPHS))
        assert wordings.PHOTOGRAPHS in [element.value for element in app.header]
        [table] = [element.value for element in app.table if wordings.GUESSING in element.value]
        first = table.iloc[0]
        assert first[wordings.FIGURE] == wordings.PICTURE_TO_CAPTION_R_1_PERCENT
        assert first[wordings.VALIDATION] == "23.4 (21.0–26.0)" and first[wordings.VALIDATION_BASELINE] == "9.0"
        assert first[wordings.GUESSING] == "0.1" and first[wordings.FISHER_VECTORS_WITH_CCA_KLEIN_ET_AL] == "22.6"
        assert list(table[wordings.FIGURE])[1:] == [
            wordings.PICTURE_TO_CAPTION_MEDIAN_RANK,
            wordings.MATCHING_ACCURACY_PERCENT,
        ]
        [table] = [element.value for element in app.table if wordings.ALWAYS_THE_MEAN in element.value]
        assert list(table["84 validation rows"]) == ["0.610", "0.750"]
        assert list(table[wordings.ALWAYS_THE_MEAN]) == ["–", "1.030"]
    app = fine(open_page(EVALUATION))
    assert not [element for element in app.button_group(key="view").options if wordings.PHOTOGRAPHS in element]


def test_evaluation_shows_the_robustness_study(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(view(wordings.A_FEW_PIXELS))
    assert any(wordings.PYTHON_M_TRAINING_ROBUSTNESS in element.value for element in app.info)
    line = {
        "pixels": 1, "rows": 48, "success_rate": 0.25, "success_rate_low": 0.15, "success_rate_high": 0.39, "random_rate": 0.1,
        "given_up": 9, "median_change": -0.0123, "median_queries": 201,
    }  # fmt: skip
    study = {
        "task": "flickr8k", "what": "It is no longer first.", "rows": "rows of *validation*", "published": "One pixel fools 68%.",
        "attack": {"baseline": [line], "joint": [line | {"success_rate": 0.5}]}, "weights": {"joint": {"gone": "abc"}},
        "poisoning": {"joint": [
            {"share": 0.1, "clean_r10": 40.0, "clean_r10_low": 35.0, "clean_r10_high": 45.0, "clean_r10_chance": 3.3}
        ]},
    }  # fmt: skip
    file = shelf / "mental_health_target" / "robustness.json"
    file.write_text(json.dumps(study))
    try:
        app = fine(view(wordings.A_FEW_PIXELS))
        [table] = [element.value for element in app.dataframe if wordings.FOOLED in element.value]
        assert list(table[wordings.VARIANT]) == ["baseline", "joint"] and list(table[wordings.FOOLED]) == [0.25, 0.5]
        assert table.iloc[0][wordings.N_95_PERCENT_INTERVAL] == "15% to 39%"
        [table] = [element.value for element in app.dataframe if wordings.POISONED in element.value]
        assert (
            table.iloc[0][wordings.R_10_CLEAN_PERCENT] == "40.0 (35.0–45.0)"
            and table.iloc[0][wordings.R_10_GUESSING_PERCENT] == "3.3"
        )
        said = [element.value for element in app.caption]
        assert any("68%" in element for element in said)
        assert any(wordings.EARLIER_WEIGHTS_JOINT in element for element in said)
        file.write_text(json.dumps(study | {"attack": {"joint": [{"pixels": 1}]}}))  # a file that cannot be drawn
        app = fine(view(wordings.A_FEW_PIXELS))
        assert any(wordings.PYTHON_M_TRAINING_ROBUSTNESS in element.value for element in app.info)
    finally:
        file.unlink()


@contextmanager
def figures_of(shelf: Path, **folders: dict) -> Iterator[None]:
    """`metrics.json` of folders that hold nothing else, for as long as the block runs."""
    for name, metrics in folders.items():
        (shelf / name).mkdir()
        (shelf / name / "metrics.json").write_text(json.dumps(metrics))
    try:
        yield
    finally:
        for name in folders:
            (shelf / name / "metrics.json").unlink()
            (shelf / name).rmdir()


def test_other_lenses_ask_before_stress(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = open_app()
    app.chat_input[0].set_value("a plain sentence").run()
    fine(app)
    assert "stress" not in analyzer.lenses[-1]
    app.toggle(key="read_stress").set_value(True).run()
    fine(app)
    assert "stress" in analyzer.lenses[-1]
    assert any(wordings.NOT_A_DIAGNOSIS in element.value for element in app.markdown)
