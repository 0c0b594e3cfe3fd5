from __future__ import annotations

from pathlib import Path

from training.engine import curves

LOG = """auroc,epoch,loss,loss_hate,step
,0,0.8,0.5,9
,0,0.6,0.3,19
0.7,0,,,19
,0,0.4,0.1,29
0.75,0,,,29
,0,0.2,0.1,39
"""


def log(folder: Path, text: str = LOG) -> Path:
    path = folder / "metrics.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_check_has_the_mean_of_the_losses_since_the_one_before(tmp_path: Path) -> None:
    assert curves.by_check(log(tmp_path), "auroc") == [
        {"step": 20.0, "loss": 0.7, "loss_hate": 0.4, "auroc": 0.7},
        {"step": 30.0, "loss": 0.4, "loss_hate": 0.1, "auroc": 0.75},
    ]


def test_rounds_are_counted_through(tmp_path: Path) -> None:
    curve = curves.by_check(log(tmp_path), "auroc")
    assert [point["step"] for point in curves.join([curve, curve])] == [20.0, 30.0, 50.0, 60.0]
    assert curves.join([curve, curve])[2]["auroc"] == 0.7
    assert curve[0]["step"] == 20.0  # what went in is as it was
    assert curves.join([]) == []


def test_an_epoch_joins_what_training_and_validation_wrote(tmp_path: Path) -> None:
    text = "epoch,loss,macro_f1,step\n0,,0.3,4\n0,0.9,,4\n1,,0.4,9\n1,0.7,,9\n"
    assert curves.by_epoch(log(tmp_path, text)) == [
        {"epoch": 0.0, "macro_f1": 0.3, "loss": 0.9},
        {"epoch": 1.0, "macro_f1": 0.4, "loss": 0.7},
    ]
