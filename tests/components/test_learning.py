"""Learning curves on the Evaluation page: by epoch or by step, or one sentence where a run left none."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page(curves: list) -> None:
    from pathlib import Path

    from components import evaluation
    from components.trained import Trained

    evaluation.learning(Trained("text_emotions", "Emotions in words", Path(), evaluation={"curves": curves}))


def drawn(curves: list) -> AppTest:
    app = AppTest.from_function(page, args=(curves,), default_timeout=30).run()
    assert not app.exception
    return app


def test_a_run_without_curves_says_so_and_how_to_get_them() -> None:
    (told,) = drawn([]).info
    assert "left no learning curves" in told.value
    assert "python -m training fit text_emotions" in told.value


def test_checks_within_an_epoch_are_drawn_by_step() -> None:
    checks = [
        {"step": 20.0, "loss": 0.7, "average_precision": 0.3},
        {"step": 40.0, "loss": 0.4, "average_precision": 0.5},
    ]
    specs = [chart.proto.spec for chart in drawn([checks]).get("plotly_chart")]
    assert len(specs) == 2
    assert all('"Step"' in spec and '"Epoch"' not in spec for spec in specs)
    assert "average precision" in specs[1]


def test_epochs_are_drawn_by_epoch() -> None:
    epochs = [{"epoch": 0.0, "loss": 0.7, "macro_f1": 0.3}, {"epoch": 1.0, "loss": 0.4, "macro_f1": 0.5}]
    assert all('"Epoch"' in chart.proto.spec for chart in drawn([epochs, epochs]).get("plotly_chart"))
