"""`--resume` goes on with a run that was made alike, and with no other."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import BadInput
from tests.training.multitask import test_train
from tests.training.multitask.test_train import drawn, small
from training.datasets.base import Row
from training.multitask import lit_module
from training.multitask import train as fit
from training.multitask.config import SystemRecipe

shelf = test_train.shelf
ROWS = drawn("memotion")
RESUME = Namespace(resume=True)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the folds that were trained (not at all, for speed)."""
    found: list[Path] = []

    def train(*given: Any, **_: Any) -> list[dict[str, float]]:
        found.append(given[6])
        given[6].mkdir(exist_ok=True)
        (given[6] / "metrics.csv").write_text("epoch,step,loss\n0,0,0.5\n")
        (given[6] / "last.ckpt").touch()
        return []

    monkeypatch.setattr(lit_module, "train", train)
    return found


@pytest.fixture
def recipe() -> SystemRecipe:
    return replace(small("memotion_gmu"), ship=False, wide={})


def scheduled(recipe: SystemRecipe, **changed: Any) -> SystemRecipe:
    return replace(recipe, schedule=replace(recipe.schedule, **changed))


def relabelled(rows: list[Row]) -> list[Row]:
    return [replace(rows[0], label="positive"), *rows[1:]]


def test_a_try_is_not_resumed_as_the_full_run(
    shelf: Path, recipe: SystemRecipe, trained: list[Path], tmp_path: Path
) -> None:
    fit.run(scheduled(recipe, epochs=1), None, tmp_path / "run", Namespace(limit=16), rows=ROWS)
    with pytest.raises(BadInput) as told:
        fit.run(recipe, None, tmp_path / "run", RESUME, rows=ROWS)
    assert str(told.value) == (
        f"{tmp_path / 'run'} holds another run, with schedule.epochs 1 instead of 4, limit 16 instead of None, other "
        "training rows: leave out --resume to train from the start, or name another --out."
    )
    assert len(trained) == 2
    fit.run(recipe, None, tmp_path / "run", rows=ROWS)
    assert len(trained) == 4
    fit.run(replace(recipe, title="Another"), None, tmp_path / "run", RESUME, rows=ROWS)
    assert len(trained) == 4  # all of it was read


@pytest.mark.parametrize(
    ("changed", "rows", "told"),
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
    told: str,
    shelf: Path,
    recipe: SystemRecipe,
    trained: list[Path],
    tmp_path: Path,
) -> None:
    fit.run(recipe, None, tmp_path, rows=ROWS)
    with pytest.raises(BadInput, match=told):
        fit.run(scheduled(recipe, **changed), None, tmp_path, RESUME, rows=rows)


@pytest.mark.parametrize("left", ["", "half a fi"])
def test_networks_of_which_nothing_is_known_are_not_gone_on_with(
    left: str, shelf: Path, recipe: SystemRecipe, trained: list[Path], tmp_path: Path
) -> None:
    fit.run(recipe, None, tmp_path / "run", RESUME, rows=ROWS)  # nothing is there to go on with
    (tmp_path / "run" / "run.json").write_text(left)
    with pytest.raises(
        BadInput, match=r"has no run.json that tells what its networks learned from: leave out --resume"
    ):
        fit.run(recipe, None, tmp_path / "run", RESUME, rows=ROWS)


def test_a_run_from_the_start_leaves_no_fold_of_an_earlier_one(
    shelf: Path, recipe: SystemRecipe, trained: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit.run(scheduled(recipe, folds=3), None, tmp_path, rows=ROWS)
    (tmp_path / "folded.txt").touch()
    fit.run(recipe, None, tmp_path, rows=ROWS)
    assert {file.name for file in tmp_path.glob("fold*")} == {"fold0", "fold0.pt", "fold1", "fold1.pt", "folded.txt"}
    assert json.loads((tmp_path / "run.json").read_text())["recipe"]["schedule"]["folds"] == 2
