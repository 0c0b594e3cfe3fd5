"""Where a run kept two sets of rows, the Evaluation page draws validation rows first and the others on request."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from components.evaluate import trained_models
from models import evaluation_files
from tests.pages import test_evaluation
from tests.pages.test_evaluation import fine, page
from training.multitask import report

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer

shelf = test_evaluation.shelf
NAME = "memotion_gmu"


@pytest.fixture
def both(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`weights/` whose system also has answers on five validation rows."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for one in shelf.iterdir():
        (folder / one.name).symlink_to(one)
    (folder / NAME).unlink()
    shutil.copytree(shelf / NAME, folder / NAME)
    held = {one.name: one for one in trained_models.models()}[NAME]
    answers = [
        _answers(held, task, rows, count)
        for task in held.tasks
        for rows, count in (("out of fold", 0), ("validation", 5))
    ]
    described = {key: held.evaluation[key] for key in ("title", "summary", "data", "curves")}
    evaluation_files.write_predictions(
        folder / NAME, learned=np.zeros(0, np.uint64), **report.kept(answers), **described
    )
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(folder))
    return folder


def _answers(held: trained_models.TrainedModel, task: str, rows: str, count: int) -> evaluation_files.PredictionSet:
    """What the system answered, on the first `count` rows alone (0: all), as if they were those `rows`."""
    found = evaluation_files.read_predictions(held.folder, task)
    assert found is not None
    some = slice(None, count or None)
    nobody = np.zeros(len(found.y_true[some]), int)
    return evaluation_files.PredictionSet(
        found.head, rows, found.y_true[some], found.y_pred[some], [probs[some] for probs in found.uncalibrated_probs],
        found.row[some], found.split[some], nobody, nobody.astype(np.uint64),
    )  # fmt: skip


def test_each_set_of_rows_is_read_by_its_name(both: Path) -> None:
    model = {one.name: one for one in trained_models.models()}[NAME]
    first, others = model.rows("memotion-polarity")
    assert first == "validation"
    shipped = evaluation_files.read_predictions(model.folder, "memotion-polarity")
    unseen = evaluation_files.read_predictions(model.folder, "memotion-polarity", others)
    assert shipped is not None and unseen is not None
    assert (len(shipped.y_true), shipped.rows) == (5, "validation")
    assert len(unseen.y_true) > 5 and unseen.rows == others


def test_validation_rows_come_first_and_the_others_on_request(both: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(page("pages/evaluation/models.py"))
    app.selectbox(key="model").select("Memotion: gated multimodal unit").run()
    app.selectbox(key=f"task-{NAME}").select("memotion-types").run()
    assert any("On 5 rows (validation)" in one.value for one in fine(app).caption)
    [other] = [one for one in app.button_group(key=f"rows-{NAME}-memotion-types").options if "Training" in one]
    app.button_group(key=f"rows-{NAME}-memotion-types").set_value("out of fold").run()
    assert other and not any("(validation)" in one.value for one in fine(app).caption)
