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
from training.tasks import registry

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer

APP = str(Path(__file__).parents[2] / "app.py")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Path:
    """`weights/` with four small systems and their figures."""
    import streamlit as st

    from tests import systems_for_tests

    st.cache_data.clear()
    st.cache_resource.clear()
    root = systems_for_tests.once()
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(root))
    monkeypatch.delenv("SUBTEXT_DATA", raising=False)
    return root


def page(name: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    app.run()
    return app.switch_page(name).run()


def view(name: str) -> AppTest:
    """The Evaluation page with another view than the one it opens on."""
    app = page("pages/evaluation/models.py")
    return app.button_group(key="view").set_value(name).run()


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error, [one.value for one in app.error]
    return app


def test_evaluation_reads_what_runs_wrote(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    table = app.dataframe[0].value
    assert set(table["Task"]) >= {"memotion-types", "target"}
    held = json.loads((shelf / "mental_health_target" / "metrics.json").read_text())["target, out of fold"]
    row = table[table["Task"] == "target"].iloc[0]
    assert row["Macro-F1"] == pytest.approx(held["macro_f1"])
    assert row["Always the commonest"] == pytest.approx(held["macro_f1_majority"])
    app.multiselect(key="tasks").select("target").run()
    assert set(fine(app).dataframe[0].value["Task"]) == {"target"}


def test_evaluation_opens_on_the_verdict(shelf: Path, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(Path(APP).parent / "weights"))  # those that ship
    chosen = fine(page("pages/evaluation/models.py")).selectbox(key="model")
    verdict = registry.TASKS["hate"].model_title
    assert verdict in chosen.options
    assert chosen.value == verdict


def test_each_model_and_task_draws(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    for title in app.selectbox(key="model").options:
        app.selectbox(key="model").select(title).run()
        fine(app)
    app.selectbox(key="model").select("Memotion: gated multimodal unit").run()
    for task in app.selectbox(key="task-memotion_gmu").options:
        app.selectbox(key="task-memotion_gmu").select(task).run()
        fine(app)


def labels(app: AppTest) -> list[str]:
    return [tab.label.rpartition(": ")[2] for tab in app.tabs]


def test_only_tabs_with_something_in_them(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    app.selectbox(key="model").select("Whom a meme is aimed at").run()
    assert labels(fine(app)) == [
        "Figures", "Curves", "Reliability", "Confusion", "Thresholds", "Learning", "Ablations", "Published"
    ]  # fmt: skip
    [line] = [one.value for one in app.caption if "Not here" in one.value]
    assert "published" in line and "SUBTEXT_DATA" in line and "learning curves" not in line
    assert not app.info
    (shelf / "mental_health_target" / "predictions.npz").rename(shelf / "aside.npz")
    try:
        assert labels(fine(app.run())) == ["Figures", "Learning", "Ablations", "Published"]
        [line] = [one.value for one in app.caption if "Not here" in one.value]
        assert "`python -m training fit mental_health_target --data DATA`" in line
    finally:
        (shelf / "aside.npz").rename(shelf / "mental_health_target" / "predictions.npz")


def test_published_figures_stand_beside_ours_with_their_source(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    app.selectbox(key="model").select("Memotion: gated multimodal unit").run()
    app.selectbox(key="task-memotion_gmu").select("memotion-sentiment").run()
    assert "Published" in labels(fine(app))
    [table] = [one.value for one in app.table if "Source" in one.value]
    assert table["Source"].iloc[0] == "Sharma et al. 2020" and table["Value"].iloc[0] == "0.355"
    assert "metrics.json of memotion_gmu" in set(table["Source"])
    assert "The label of another copy of the meme" in set(table["System"])
    assert any("Cohen's kappa" in one.value and "each annotated for itself" in one.value for one in app.caption)


def test_what_copies_tell_is_shown_as_it_was_measured_and_left_out_where_the_file_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = json.loads(published.NEAR_COPIES.read_text())
    for task in ("memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity", "target"):
        assert published.near_copies(task) == held[task] and held[task]["groups"] >= 20
    assert published.near_copies("stress-domain") == {}
    for broken in (tmp_path / "missing.json", tmp_path / "broken.json"):
        (tmp_path / "broken.json").write_text("{")
        monkeypatch.setattr(published, "NEAR_COPIES", broken)
        assert published.near_copies("memotion-sentiment") == {}


def test_a_figure_without_a_paper_says_so_and_what_it_is_worth() -> None:
    [reported] = published.of("memotion-polarity")
    assert "without a paper" in reported.source and "always answering positive" in reported.source
    ships = Path(APP).parent / "weights" / "sentiment_resnet_bert" / "metrics.json"
    guessing = json.loads(ships.read_text())["memotion-polarity, validation"]["macro_f1_majority"]
    assert reported.value == pytest.approx(guessing, abs=0.01)  # on other rows


def test_a_suite_is_in_sight_and_its_answers_stay(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    app.selectbox(key="model").select("Memotion: gated multimodal unit").run()
    app.button_group(key="view").set_value("Functional test suite").run()
    assert "model" not in [one.key for one in fine(app).selectbox]
    rows = b"functionality,test_case,label_gold,target_ident\nslur_h,I despise them,hateful,women\n"
    app.file_uploader(key="suite").upload("cases.csv", rows, "text/csv").run()
    told = [one.value for one in fine(app).markdown if "of 1 cases" in one.value]
    assert told and app.get("plotly_chart")
    app.button_group(key="view").set_value("Trained models").run()
    assert fine(app).selectbox(key="model").value == "Memotion: gated multimodal unit"
    app.button_group(key="view").set_value("Functional test suite").run()
    assert [one.value for one in fine(app).markdown if "of 1 cases" in one.value] == told
    app.file_uploader(key="suite").upload("wrong.csv", b"a,b\n1,2\n", "text/csv").run()
    assert "no column 'functionality'" in app.error[0].value
    assert not [one for one in app.markdown if "of 1 cases" in one.value]


def test_a_threshold_moves_the_figures(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    app.selectbox(key="model").select("Memotion: gated multimodal unit").run()
    app.selectbox(key="task-memotion_gmu").select("memotion-polarity").run()
    before = {one.label: one.value for one in app.metric}
    slider = next(one for one in app.slider if one.key.startswith("threshold-memotion-polarity"))
    slider.set_range(0.0, 1.0).run()
    after = {one.label: one.value for one in fine(app).metric}
    assert after["Review load"] == "100%"
    assert before != after


def test_thresholds_of_the_verdict_begin_where_the_app_has_them(
    shelf: Path, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(Path(APP).parent / "weights"))  # those that ship
    bands = json.loads((Path(APP).parent / "weights" / "hate_cross_attention" / "config.json").read_text())["bands"]
    app = fine(page("pages/evaluation/models.py"))
    assert list(app.dataframe[0].value.columns[:3]) == ["Model", "Task", "Measured on"]
    assert app.dataframe[0].value["Model"].iloc[0] == registry.TASKS["hate"].model_title
    assert "A line for each of the 5 networks of a cross-validation." in [one.value for one in app.caption]
    [slider] = [one for one in app.slider if one.key.startswith("threshold-hate-")]
    assert slider.value == (round(bands["review_from"], 2), round(bands["hateful_from"], 2))
    told = " ".join(one.value for one in app.caption)
    assert f"own thresholds are {bands['review_from']:.2f} for a human look" in told
    assert told.count("On 194 rows (religious hateful, validation).") == 4  # of the curves to the thresholds
    app.selectbox(key="task-hate_cross_attention").select("harm").run()
    [slider] = [one for one in fine(app).slider if one.key.startswith("threshold-harm-")]
    assert "The model itself answers “harmful” from" in " ".join(one.value for one in app.caption)


def test_damaged_figures_are_told_and_the_rest_is_shown(shelf: Path, analyzer: FakeAnalyzer) -> None:
    broken = shelf / "broken"
    broken.mkdir()
    (broken / "metrics.json").write_text("{")
    try:
        app = page("pages/evaluation/models.py")
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
        app = fine(view("Photographs"))
        assert "Photographs" in [one.value for one in app.header]
        [table] = [one.value for one in app.table if "Guessing" in one.value]
        first = table.iloc[0]
        assert first["Figure"] == "Picture to caption, R@1 (%)"
        assert first["Validation"] == "23.4 (21.0–26.0)" and first["Validation, baseline"] == "9.0"
        assert first["Guessing"] == "0.1" and first["Fisher vectors with CCA (Klein et al. 2015)"] == "22.6"
        assert list(table["Figure"])[1:] == ["Picture to caption, median rank", "Matching accuracy (%)"]
        [table] = [one.value for one in app.table if "Always the mean" in one.value]
        assert list(table["84 validation rows"]) == ["0.610", "0.750"]
        assert list(table["Always the mean"]) == ["–", "1.030"]
    app = fine(page("pages/evaluation/models.py"))
    assert not [one for one in app.button_group(key="view").options if "Photographs" in one]


def test_evaluation_shows_the_robustness_study(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(view("A few pixels"))
    assert any("python -m training robustness" in one.value for one in app.info)
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
        app = fine(view("A few pixels"))
        [table] = [one.value for one in app.dataframe if "Fooled" in one.value]
        assert list(table["Variant"]) == ["baseline", "joint"] and list(table["Fooled"]) == [0.25, 0.5]
        assert table.iloc[0]["95% interval"] == "15% to 39%"
        [table] = [one.value for one in app.dataframe if "Poisoned" in one.value]
        assert table.iloc[0]["R@10, clean (%)"] == "40.0 (35.0–45.0)" and table.iloc[0]["R@10, guessing (%)"] == "3.3"
        told = [one.value for one in app.caption]
        assert any("68%" in one for one in told)
        assert any("earlier weights: joint" in one for one in told)
        file.write_text(json.dumps(study | {"attack": {"joint": [{"pixels": 1}]}}))  # a file that cannot be drawn
        app = fine(view("A few pixels"))
        assert any("python -m training robustness" in one.value for one in app.info)
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
    app = AppTest.from_file(APP, default_timeout=60).run()
    app.chat_input[0].set_value("a plain sentence").run()
    fine(app)
    assert "stress" not in analyzer.lenses[-1]
    app.toggle(key="read_stress").set_value(True).run()
    fine(app)
    assert "stress" in analyzer.lenses[-1]
    assert any("not a diagnosis" in one.value for one in app.markdown)
