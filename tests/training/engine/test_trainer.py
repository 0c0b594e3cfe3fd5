"""The trainer on a line of one weight: checkpoints, early stopping, curves and resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from models.errors import BadInput
from training.engine.trainer import Monitor, build_trainer, curve_by_check, curve_by_epoch, join_curves


class Line(L.LightningModule):
    """Fits y = 2 x; its score at epoch n is `scores[n]`."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.scores, self.epochs = nn.Linear(1, 1), scores, list[int]()

    def on_train_epoch_start(self) -> None:
        self.epochs.append(self.current_epoch)

    def training_step(self, x: Tensor, _: int) -> Tensor:
        loss = (self.layer(x) - 2 * x).square().mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, x: Tensor, _: int) -> None:
        self.log("score", self.scores[self.current_epoch], batch_size=len(x))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


ROWS = DataLoader(torch.linspace(-1, 1, 8)[:, None], batch_size=4)


def fit(folder: Path, scores: list[float], *, epochs: int, resume: bool = False, patience: int | None = None) -> Line:
    module = Line(scores)
    monitor = Monitor("score", patience=patience)
    run = build_trainer(folder, monitor, resume=resume, max_epochs=epochs, accelerator="cpu")
    run.fit(module, ROWS, ROWS)
    module.load_state_dict(run.best_state())
    return module


def test_the_best_epoch_is_returned_and_the_newest_kept(tmp_path: Path) -> None:
    best = fit(tmp_path, [0.1, 0.9, 0.3], epochs=3)
    newest = torch.load(tmp_path / "last.ckpt", weights_only=False)
    assert newest["epoch"] == 2
    assert torch.load(tmp_path / "best.ckpt", weights_only=False)["epoch"] == 1
    assert not torch.equal(newest["state_dict"]["layer.weight"], best.layer.weight)


def test_it_stops_when_patience_runs_out(tmp_path: Path) -> None:
    assert fit(tmp_path, [0.5, 0.4, 0.3, 0.2, 0.1], epochs=5, patience=2).epochs == [0, 1, 2]


def test_a_resumed_run_continues_its_weights_and_its_curve(tmp_path: Path) -> None:
    scores = [0.1, 0.2, 0.3, 0.4]
    at_once = fit(tmp_path / "whole", scores, epochs=4)
    fit(tmp_path / "halves", scores, epochs=2)
    resumed = fit(tmp_path / "halves", scores, epochs=4, resume=True)
    assert resumed.epochs == [2, 3]
    assert torch.equal(resumed.layer.weight, at_once.layer.weight)
    assert curve_by_epoch(tmp_path / "halves" / "metrics.csv") == curve_by_epoch(tmp_path / "whole" / "metrics.csv")


def test_a_run_that_stopped_within_an_epoch_resumes_at_its_last_validation(tmp_path: Path) -> None:
    run = build_trainer(tmp_path, Monitor("score"), max_epochs=1, accelerator="cpu", val_check_interval=0.5)
    module = Line([0.5])
    module.on_train_batch_end = lambda *_: (_ for _ in ()).throw(ConnectionError) if module.global_step == 2 else None  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        run.fit(module, ROWS, ROWS)
    assert torch.load(tmp_path / "last.ckpt", weights_only=False)["global_step"] == 1
    resumed = fit(tmp_path, [0.5], epochs=1, resume=True)
    assert resumed.global_step == 2


def test_without_resume_it_starts_anew(tmp_path: Path) -> None:
    fit(tmp_path, [0.1, 0.2], epochs=2)
    assert fit(tmp_path, [0.1], epochs=1).epochs == [0]
    assert len(curve_by_epoch(tmp_path / "metrics.csv")) == 1


def test_devices_that_lightning_cannot_use_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot train with --devices 1 and --strategy ddpp on this machine"):
        build_trainer(tmp_path, Monitor("score"), devices="1", strategy="ddpp")


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
    assert curve_by_check(log(tmp_path), "auroc") == [
        {"step": 20.0, "loss": 0.7, "loss_hate": 0.4, "auroc": 0.7},
        {"step": 30.0, "loss": 0.4, "loss_hate": 0.1, "auroc": 0.75},
    ]


def test_rounds_are_counted_through(tmp_path: Path) -> None:
    curve = curve_by_check(log(tmp_path), "auroc")
    assert [point["step"] for point in join_curves([curve, curve])] == [20.0, 30.0, 50.0, 60.0]
    assert join_curves([curve, curve])[2]["auroc"] == 0.7
    assert curve[0]["step"] == 20.0  # what went in is as it was
    assert join_curves([]) == []


def test_an_epoch_joins_what_training_and_validation_wrote(tmp_path: Path) -> None:
    text = "epoch,loss,macro_f1,step\n0,,0.3,4\n0,0.9,,4\n1,,0.4,9\n1,0.7,,9\n"
    assert curve_by_epoch(log(tmp_path, text)) == [
        {"epoch": 0.0, "macro_f1": 0.3, "loss": 0.9},
        {"epoch": 1.0, "macro_f1": 0.4, "loss": 0.7},
    ]
