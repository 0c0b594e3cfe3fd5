"""`--resume` goes on with a run that was made alike, and with no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import BadInput
from tests.multitask_for_tests import drawn, scheduled, small
from training.datasets.base import Row
from training.multitask import train as multitask_train
from training.multitask.config import MultitaskConfig
from training.multitask.train import RunOptions, run

ROWS = drawn("memotion")
FRESH, RESUME = RunOptions(ship=False), RunOptions(resume=True, ship=False)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the folds that were trained (not at all, for speed)."""
    folders: list[Path] = []

    def train_fold(_: Any, __: Any, folder: Path, **___: Any) -> list[dict[str, float]]:
        folders.append(folder)
        folder.mkdir(exist_ok=True)
        (folder / "metrics.csv").write_text("epoch,step,loss\n0,0,0.5\n")
        (folder / "last.ckpt").touch()
        return []

    monkeypatch.setattr(multitask_train, "train_fold", train_fold)
    return folders


@pytest.fixture
def config() -> MultitaskConfig:
    return replace(small("memotion_gmu"), linear_branch=None)


def relabelled(rows: list[Row]) -> list[Row]:
    return [replace(rows[0], label="positive"), *rows[1:]]


def test_a_dry_run_is_not_resumed_as_the_full_run(
    shelf: Path, config: MultitaskConfig, trained: list[Path], tmp_path: Path
) -> None:
    run(scheduled(config, epochs=1), None, tmp_path / "run", RunOptions(limit=16, ship=False), rows=ROWS)
    with pytest.raises(BadInput) as error:
        run(config, None, tmp_path / "run", RESUME, rows=ROWS)
    assert str(error.value) == (
        f"{tmp_path / 'run'} holds another run, with schedule.epochs 1 instead of 4, limit 16 instead of None, other "
        "training rows: leave out --resume to train from the start, or name another --out."
    )
    assert len(trained) == 2
    run(config, None, tmp_path / "run", FRESH, rows=ROWS)
    assert len(trained) == 4
    run(replace(config, title="Another"), None, tmp_path / "run", RESUME, rows=ROWS)
    assert len(trained) == 4  # all of it was read


@pytest.mark.parametrize(
    ("changed", "rows", "message"),
    [
        ({"folds": 3}, ROWS, "with schedule.folds 2 instead of 3:"),
        ({"seed": 1}, ROWS, "with schedule.seed 7 instead of 1:"),
        ({}, ROWS[2:], "with other training rows:"),
        ({}, relabelled(ROWS), "with other training rows:"),
        ({}, [replace(ROWS[0], group="g1"), *ROWS[1:]], "with other training rows:"),
    ],
)
def test_what_differs_is_told(
    changed: dict[str, int],
    rows: list[Row],
    message: str,
    shelf: Path,
    config: MultitaskConfig,
    trained: list[Path],
    tmp_path: Path,
) -> None:
    run(config, None, tmp_path, FRESH, rows=ROWS)
    with pytest.raises(BadInput, match=message):
        run(scheduled(config, **changed), None, tmp_path, RESUME, rows=rows)


@pytest.mark.parametrize("left", ["", "half a fi"])
def test_networks_of_which_nothing_is_known_are_not_gone_on_with(
    left: str, shelf: Path, config: MultitaskConfig, trained: list[Path], tmp_path: Path
) -> None:
    run(config, None, tmp_path / "run", RESUME, rows=ROWS)  # nothing is there to go on with
    (tmp_path / "run" / "run.json").write_text(left)
    with pytest.raises(
        BadInput, match=r"has no run.json that tells what its networks learned from: leave out --resume"
    ):
        run(config, None, tmp_path / "run", RESUME, rows=ROWS)


def test_a_run_from_the_start_leaves_no_fold_of_an_earlier_one(
    shelf: Path, config: MultitaskConfig, trained: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(scheduled(config, folds=3), None, tmp_path, FRESH, rows=ROWS)
    (tmp_path / "folded.txt").touch()
    run(config, None, tmp_path, FRESH, rows=ROWS)
    assert {file.name for file in tmp_path.glob("fold*")} == {"fold0", "fold0.pt", "fold1", "fold1.pt", "folded.txt"}
    assert json.loads((tmp_path / "run.json").read_text())["config"]["schedule"]["folds"] == 2
