"""What a run left beside its figures: learning curves by epoch or by step, ablations, and one line for what it did not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from components.evaluate import run_details, trained_models
from components.evaluate.trained_models import TrainedModel
from tests import wordings
from training.tasks import registry


def page(curves: list) -> None:
    from pathlib import Path

    from components.evaluate import run_details
    from components.evaluate.trained_models import TrainedModel

    run_details.learning(TrainedModel("text_emotions", "Emotions in words", Path(), evaluation={"curves": curves}))


def drawn(curves: list) -> AppTest:
    app = AppTest.from_function(page, args=(curves,), default_timeout=30).run()
    assert not app.exception
    return app


def figures(macro_f1: float) -> dict[str, float]:
    return {"rows": 10, "macro_f1": macro_f1, "macro_f1_low": 0.1, "macro_f1_high": 0.9, "macro_f1_majority": 0.3}


def test_what_a_run_did_not_write_is_one_line_with_the_command_that_would() -> None:
    line = run_details.missing(TrainedModel("text_emotions", "Emotions in words", Path()), "text-emotions", None)
    assert line.count(wordings.NOT_HERE) == 1 and "\n" not in line
    assert wordings.LEARNING_CURVES_PYTHON_M_TRAINING_FIT_TEXT in line
    assert wordings.PREDICTIONS_OF_THIS_TASK_PYTHON_M_TRAINING in line and "--save-predictions`" in line
    assert wordings.ITS_CONFIGURATION_NAMES_NONE in line
    assert "published" not in line  # BERT's figure is known


def test_only_a_configuration_with_ablations_is_said_to_write_them() -> None:
    line = run_details.missing(TrainedModel("mental_health_target", "Target", Path()), "target", None)
    assert wordings.PYTHON_M_TRAINING_COMPARE_MENTAL_HEALTH_TARGET in line
    assert wordings.PUBLISHED_SYSTEMS_FIGURE in line
    assert wordings.PYTHON_M_TRAINING_FIT_MENTAL_HEALTH_TARGET_2 in line


def test_predictions_of_a_task_that_is_several_together_stand_under_its_parts() -> None:
    [model] = [item for item in trained_models.models() if item.name == "memotion_gmu"]
    task, parts = "memotion-intensity", tuple(member.name for member in registry.head_tasks("memotion-intensity"))
    assert model.parts(task) == parts
    line = run_details.missing(model, task, None)
    assert wordings.PREDICTIONS_STAND_UNDER_PARTS.format(parts=", ".join(parts)) in line
    line = run_details.missing(TrainedModel("memotion_gmu", "GMU", Path()), task, None)
    assert wordings.PYTHON_M_TRAINING_FIT_MEMOTION_GMU_DATA in line


def test_nothing_is_said_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_DATA", str(tmp_path))
    evaluation = {
        "curves": [[{"epoch": 0.0, "loss": 1.0}]], "parts": {"stress": {"rows": "validation"}}, "data": "dreaddit",
        "ablations": [{"name": "without the words", "figures": {"stress, validation": figures(0.5)}}],
    }  # fmt: skip
    trained = TrainedModel("mental_health_stress", "Stress", tmp_path, evaluation=evaluation)
    predictions = SimpleNamespace(split=[1])
    assert "`dreaddit.validation.parquet`" in run_details.missing(trained, "stress", predictions)  # type: ignore[arg-type]
    (tmp_path / "dreaddit.validation.parquet").touch()
    assert run_details.missing(trained, "stress", predictions) == ""  # type: ignore[arg-type]


def test_ablations_stand_behind_the_whole_on_the_same_rows() -> None:
    metrics = {
        "out of fold, harmeme": figures(0.7), "validation, harmeme": figures(0.8),
        "out of fold, religious_hateful": figures(0.5),
    }  # fmt: skip
    ablated = [{"name": "without the linear paths", "figures": {"out of fold, harmeme": figures(0.6)}}]
    verdict = TrainedModel("hate_cross_attention", "The verdict", Path(), metrics, {"ablations": ablated})
    ablations = [(name, item.metrics["macro_f1"]) for name, item in verdict.ablations("harm")]
    assert ablations == [(wordings.THE_WHOLE, 0.7), ("without the linear paths", 0.6)]
    assert verdict.ablations("hate") == []
    system = TrainedModel(
        "mental_health_target", "Target", Path(), {"target, validation": figures(0.7)},
        {"ablations": [{"name": "without experts", "figures": {"target, validation": figures(0.4), "seconds": 9}}]},
    )  # fmt: skip
    ablations = [(name, item.metrics["macro_f1"]) for name, item in system.ablations("target")]
    assert ablations == [(wordings.THE_WHOLE, 0.7), ("without experts", 0.4)]


def test_each_task_of_the_verdict_knows_its_own_data_set() -> None:
    parts = {"hate": {"rows": "religious_hateful, validation"}, "harm": {"rows": "harmeme, validation"}}
    verdict = TrainedModel(
        "hate_cross_attention", "The verdict", Path(), evaluation={"data": "harmeme", "parts": parts}
    )
    assert (verdict.data("hate"), verdict.data("harm")) == ("religious_hateful", "harmeme")
    parts = {"memotion-polarity": {"rows": "out of fold"}}
    system = TrainedModel("s", "S", Path(), evaluation={"data": "memotion_polarity", "parts": parts})
    assert system.data("memotion-polarity") == "memotion"


def test_checks_within_an_epoch_are_drawn_by_step() -> None:
    checks = [
        {"step": 20.0, "loss": 0.7, "average_precision": 0.3},
        {"step": 40.0, "loss": 0.4, "average_precision": 0.5},
    ]
    specs = [chart.proto.spec for chart in drawn([checks]).get("plotly_chart")]
    assert len(specs) == 2
    assert all(f'"{wordings.STEP}"' in spec and f'"{wordings.EPOCH}"' not in spec for spec in specs)
    assert "average precision" in specs[1]


def test_epochs_are_drawn_by_epoch() -> None:
    epochs = [{"epoch": 0.0, "loss": 0.7, "macro_f1": 0.3}, {"epoch": 1.0, "loss": 0.4, "macro_f1": 0.5}]
    assert all('"Epoch"' in chart.proto.spec for chart in drawn([epochs, epochs]).get("plotly_chart"))
