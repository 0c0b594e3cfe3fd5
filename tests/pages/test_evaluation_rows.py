"""Where a run kept two sets of rows, the Evaluation page draws validation rows first and the others on request."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from components.evaluate import trained_models
from models import evaluation_files
from tests import wordings
from tests.app_for_tests import fine, open_page

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer

NAME = "memotion_gmu"


@pytest.fixture
def both(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`weights/` whose system also has answers on five validation rows."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for item in shelf.iterdir():
        (folder / item.name).symlink_to(item)
    (folder / NAME).unlink()
    shutil.copytree(shelf / NAME, folder / NAME)
    model = {item.name: item for item in trained_models.models()}[NAME]
    out_of_fold = [_answers(model, task, "out of fold", 0) for task in model.heads]
    validation = [_answers(model, task, "validation", 5) for task in model.heads]
    described = {key: model.evaluation[key] for key in ("title", "summary", "data", "curves")}
    evaluation_files.write_predictions(
        folder / NAME, out_of_fold, np.zeros(0, np.uint64), validation=validation, **described
    )
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(folder))
    return folder


def _answers(model: trained_models.TrainedModel, task: str, rows: str, count: int) -> evaluation_files.PredictionSet:
    """What the system answered, on the first `count` rows alone (0: all), as if they were those `rows`."""
    predictions = evaluation_files.read_predictions(model.folder, task)
    assert predictions is not None
    some = slice(None, count or None)
    nobody = np.zeros(len(predictions.y_true[some]), int)
    probs = [values[some] for values in predictions.uncalibrated_probs]
    return evaluation_files.PredictionSet(
        predictions.head, rows, predictions.y_true[some], predictions.y_pred[some], probs,
        predictions.row[some], predictions.split[some], nobody, nobody.astype(np.uint64),
    )  # fmt: skip


def test_each_set_of_rows_is_read_by_its_name(both: Path) -> None:
    model = {item.name: item for item in trained_models.models()}[NAME]
    first, others = model.rows("memotion-polarity")
    assert first == "validation"
    shipped = evaluation_files.read_predictions(model.folder, "memotion-polarity")
    unseen = evaluation_files.read_predictions(model.folder, "memotion-polarity", others)
    assert shipped is not None and unseen is not None
    assert (len(shipped.y_true), shipped.rows) == (5, "validation")
    assert len(unseen.y_true) > 5 and unseen.rows == others


def test_validation_rows_come_first_and_the_others_on_request(both: Path, analyzer: FakeAnalyzer) -> None:
    app = fine(open_page("pages/evaluation/models.py"))
    app.selectbox(key="model").select(wordings.MEMOTION_GATED_MULTIMODAL_UNIT).run()
    app.selectbox(key=f"task-{NAME}").select("memotion-types").run()
    assert any(wordings.ON_5_ROWS_VALIDATION in item.value for item in fine(app).caption)
    [other] = [
        item for item in app.button_group(key=f"rows-{NAME}-memotion-types").options if wordings.TRAINING in item
    ]
    app.button_group(key=f"rows-{NAME}-memotion-types").set_value("out of fold").run()
    assert other and not any("(validation)" in item.value for item in fine(app).caption)
