"""One fold on drawn tokens: it goes on after an interruption, and says what it cannot train with."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.classifiers.heads import Head, Target
from models.errors import BadInput
from models.fusion import registry as fusions
from training.cli import main
from training.multitask import lit_module
from training.multitask.config import EncoderConfig, FusionConfig, MultitaskConfig, ScheduleConfig
from training.multitask.data import MultitaskDataModule, Prepared
from training.multitask.lit_module import LitMultitask
from training.multitask.model import MultitaskNetwork, named_losses

ROWS, WIDTH = 24, 6
HEADS = (Head("kind", "single", (Target("kind", ("a", "b")),)),)
MINI = EncoderConfig("mini")
CONFIG = MultitaskConfig(
    "drawn", "", "", "drawn", ("kind",), MINI, MINI, FusionConfig(),
    schedule=ScheduleConfig(epochs=4, batch_size=8, patience=9, monitor="macro_f1"),
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    values: Tensor

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(np.asarray(rows))
        return self.values[index.clamp(min=0)], (index >= 0)[:, None].expand(-1, self.values.shape[1])


@pytest.fixture
def rows() -> Prepared:
    torch.manual_seed(0)
    here, target = np.ones(ROWS, bool), np.arange(ROWS)[:, None] % 2
    image, text = (Drawn(torch.randn(ROWS, 3, WIDTH)) for _ in range(2))
    return Prepared(image, text, here, here, target, np.arange(ROWS))


def network(*, align: bool = False) -> MultitaskNetwork:
    torch.manual_seed(1)
    fusion = fusions.build("concatenation", WIDTH, WIDTH, {"width": 8, "dropout": 0.0})
    through = torch.nn.Identity()
    through.forward = lambda tokens, mask: (tokens, mask)  # type: ignore[method-assign,assignment]
    return MultitaskNetwork(through, through, fusion, HEADS, align=align)


def train(rows: Prepared, folder: Path, config: MultitaskConfig = CONFIG, **options: Any) -> list[dict[str, float]]:
    """Trains a new network on the first 16 rows."""
    module = LitMultitask(network(), config, HEADS, {"kind": [torch.ones(2)]})
    datamodule = MultitaskDataModule(rows, np.arange(16), np.arange(16, ROWS), config.schedule)
    return lit_module.train_fold(module, datamodule, folder, **options)


def logged(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_interrupted_fold_goes_on_from_its_newest_epoch_and_keeps_its_curve(
    rows: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    monkeypatch.setattr(LitMultitask, "on_train_epoch_start", lambda module: begun.append(module.current_epoch))
    # Never better than in the first epoch: the newest checkpoint is not the best one.
    monkeypatch.setattr(lit_module, "_metrics", lambda *_: {"macro_f1": 0.5, "accuracy": 0.5})

    def power_cut(module: LitMultitask) -> None:  # after the epoch was measured, before its checkpoint
        if module.current_epoch == 2:
            raise ConnectionError("the machine is gone")

    with monkeypatch.context() as cut:
        cut.setattr(LitMultitask, "on_train_epoch_end", power_cut)
        with pytest.raises(ConnectionError):
            train(rows, tmp_path)
    before = logged(tmp_path)
    assert [row["epoch"] for row in before] == ["0", "0", "1", "1", "2"]
    assert begun == [0, 1, 2]

    curve = train(rows, tmp_path, resume=True)
    assert begun == [0, 1, 2, 2, 3]
    assert [point["epoch"] for point in curve] == [0, 1, 2, 3]
    assert all({"loss", "validation_loss", "macro_f1"} <= set(point) for point in curve)
    after = logged(tmp_path)
    assert [row["epoch"] for row in after] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    for old, new in zip(before[:4], after[:4], strict=True):
        assert {key: float(value) for key, value in old.items() if value} == {
            key: float(value) for key, value in new.items() if value
        }


def test_a_run_from_the_start_forgets_an_earlier_ones_curve(rows: Prepared, tmp_path: Path) -> None:
    short = replace(CONFIG, schedule=replace(CONFIG.schedule, epochs=2))
    for _ in range(2):
        curve = train(rows, tmp_path, short)
        assert [point["epoch"] for point in curve] == [0, 1]
        assert len(logged(tmp_path)) == 4


def test_layers_for_alignment_are_there_where_the_loss_is_asked_for() -> None:
    plain, aligned = network(), network(align=True)
    assert not list(plain.align.parameters())
    assert len(list(aligned.align.parameters())) == 6


@pytest.mark.parametrize("both", [0, 1, 4])
def test_alignment_reaches_its_layers_whatever_the_batch_holds(rows: Prepared, both: int) -> None:
    """Processes that train together wait for each other's gradients of every layer."""
    model, schedule = network(align=True), ScheduleConfig(align_weight=0.1)
    batch = rows.batch(np.arange(4))
    batch["image_mask"] = batch["image_mask"] & (torch.arange(4) < both)[:, None]
    by_name = named_losses(model, batch, HEADS, {"kind": [torch.ones(2)]}, schedule)
    sum(by_name.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert (float(by_name["align"].detach()) > 0) == (both > 1)


@pytest.mark.parametrize(("devices", "strategy"), [("0", "auto"), ("1", "ddpp"), ("two", "auto"), ("7,8", "auto")])
def test_what_lightning_cannot_use_is_one_sentence(rows: Prepared, tmp_path: Path, devices: str, strategy: str) -> None:
    with pytest.raises(BadInput, match=f"cannot train with --devices {devices} and --strategy {strategy}"):
        train(rows, tmp_path, devices=devices, strategy=strategy)


@pytest.mark.parametrize("devices", ["two", "0;1", "1.5", ",", "-2"])
def test_devices_that_nobody_can_read_are_told_before_anything_is_loaded(
    devices: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "memotion_gmu", "--data", str(tmp_path / "none"), f"--devices={devices}"]) == 2
    assert f"--devices {devices} is not a number of devices" in capsys.readouterr().err


@pytest.mark.parametrize("devices", ["2", "0,1", "0,", "auto", "-1"])
def test_devices_that_lightning_reads_pass(devices: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    assert main(["fit", "memotion_bilstm", *out, f"--devices={devices}"]) == 2
    assert "There is no data folder at" in capsys.readouterr().err


def test_recipes_that_train_on_one_device_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "memotion_gmu", "text_emotions", "--devices", "2"]) == 2
    assert "text_emotions trains on one device" in capsys.readouterr().err
