"""The pages Evaluation and Compare, and Other lenses, through the app's front door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer
    from tests.weights_for_tests import Tiny

APP = str(Path(__file__).parents[1] / "app.py")
NAMES = ("memotion_gmu", "memotion_bilstm", "mental_health_target")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tiny towers and three small systems with figures."""
    from tests import systems_for_tests, weights_for_tests
    from training.encoders import mini

    tiny: Tiny = weights_for_tests.once()
    folder = tmp_path_factory.mktemp("pages") / "weights"
    folder.mkdir()
    for one in tiny.root.iterdir():
        (folder / one.name).symlink_to(one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(folder))
        mini.shipped.cache_clear()
        for name in NAMES:
            systems_for_tests.write(name, folder.parent / "cache")
    mini.shipped.cache_clear()
    return folder


@pytest.fixture
def shelf(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(root))
    monkeypatch.delenv("SUBTEXT_DATA", raising=False)
    return root


def page(name: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    app.run()
    return app.switch_page(name).run()


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


def test_each_model_and_task_draws(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    for title in app.selectbox(key="model").options:
        app.selectbox(key="model").select(title).run()
        fine(app)
    app.selectbox(key="model").select("Memotion: gated multimodal unit").run()
    for task in app.selectbox(key="task-memotion_gmu").options:
        app.selectbox(key="task-memotion_gmu").select(task).run()
        fine(app)


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


def test_compare_sets_systems_side_by_side(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/compare/systems.py"))
    assert "Give a picture" in app.info[0].value
    app.text_area(key="compare-words").set_value("we love mondays").run()
    table = fine(app).dataframe[0].value
    assert list(table.columns)[1:] == ["Memotion: BiLSTM", "Memotion: gated multimodal unit"]
    assert table.iloc[0]["Memotion: BiLSTM"] == "words: words, embeddings of its own, trained along"
    assert any("memotion-sentiment" in name for name in table[""])


def test_other_lenses_ask_before_stress(shelf: Path, analyzer: FakeAnalyzer) -> None:
    app = AppTest.from_file(APP, default_timeout=60).run()
    app.chat_input[0].set_value("a plain sentence").run()
    fine(app)
    assert "stress" not in analyzer.lenses[-1]
    app.toggle(key="read_stress").set_value(True).run()
    fine(app)
    assert "stress" in analyzer.lenses[-1]
    assert any("not a diagnosis" in one.value for one in app.markdown)
