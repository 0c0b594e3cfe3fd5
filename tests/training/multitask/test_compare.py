"""`training compare` sets runs that are there side by side, and keeps ablations with the system they are of."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import evaluation_files
from tests.training.multitask.test_train import drawn
from training import cli as command
from training.multitask import config as system_recipe
from training.multitask import data as system
from training.multitask import train

NAME = "mental_health_target"


def figures(score: float) -> dict[str, Any]:
    one = {"macro_f1": score, "macro_f1_low": score - 0.1, "macro_f1_high": score + 0.1, "macro_f1_majority": 0.16}
    return {"target, out of fold": {"rows": 90, "accuracy": 0.5, **one}, "seconds": 3}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of the system and of its ablations, as if they had been trained; `weights/` with the system's folder."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights" / NAME).mkdir(parents=True)
    recipe = system_recipe.read(NAME)
    for number, one in enumerate([recipe, *(recipe.ablated(name) for name in recipe.ablations)]):
        folder = tmp_path / "runs" / one.name
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(figures(0.4 - number / 100)))
        made_as(folder, one)
    return tmp_path / "runs"


def made_as(folder: Path, recipe: system_recipe.SystemRecipe, limit: int | None = None) -> None:
    config = {"schedule": asdict(recipe.schedule), "limit": limit}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[system_recipe.SystemRecipe]:
    """The recipes that were trained instead of read; their runs are there then."""
    found: list[system_recipe.SystemRecipe] = []

    def run(recipe: system_recipe.SystemRecipe, _: str | None, out: Path, args: Any) -> dict[str, Any]:
        found.append(recipe)
        out.mkdir(exist_ok=True)
        (out / "metrics.json").write_text(json.dumps(figures(0.9)))
        made_as(out, recipe, args.limit)
        return figures(0.9)

    monkeypatch.setattr(train, "run", run)
    return found


def kept(runs: Path) -> list[str]:
    held = evaluation_files.read_evaluation(runs.parent / "weights" / NAME)
    return [one["name"] for one in held.get("ablations", [])]


def test_the_best_stands_first_with_interval_and_baseline(runs: Path, capsys: pytest.CaptureFixture) -> None:
    out = runs.parent / "table.json"
    assert command.main(["compare", NAME, "--ablations", "--out", str(runs), "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"| target, out of fold | {NAME} | 90 | 0.400 (0.300 to 0.500) | 0.160 | 0.500 |"
        == lines[next(number for number, line in enumerate(lines) if line.startswith("|---")) + 1]
    )
    assert set(json.loads(out.read_text())) == {NAME, *(f"{NAME}, {one}" for one in system_recipe.read(NAME).ablations)}
    assert kept(runs) == list(system_recipe.read(NAME).ablations)


@pytest.mark.parametrize("tried", [["--limit", "5"], ["--epochs", "1"], ["--folds", "2"]])
def test_a_try_is_trained_apart_and_kept_nowhere(
    tried: list[str], runs: Path, trained: list[system_recipe.SystemRecipe]
) -> None:
    assert command.main(["compare", NAME, "--ablations", "--out", str(runs), *tried]) == 0
    assert len(trained) == 1 + len(system_recipe.read(NAME).ablations)
    assert not any(recipe.ship for recipe in trained)
    assert kept(runs) == []
    for recipe in trained:  # the system's own run stays as it was
        assert json.loads((runs / recipe.name / "metrics.json").read_text()) != figures(0.9)
        assert json.loads((runs / f"{recipe.name}--try" / "metrics.json").read_text()) == figures(0.9)
    assert command.main(["compare", NAME, "--ablations", "--out", str(runs), *tried]) == 0
    assert len(trained) == 1 + len(system_recipe.read(NAME).ablations)  # not once more


def test_a_try_that_lies_there_is_no_figure_of_the_system(
    runs: Path, trained: list[system_recipe.SystemRecipe]
) -> None:
    recipe = system_recipe.read(NAME)
    ablated = recipe.ablated("without experts")
    made_as(runs / ablated.name, ablated, limit=200)
    short = replace(recipe.ablated("without the words"), schedule=system_recipe.Schedule(epochs=1))
    made_as(runs / short.name, short)
    assert command.main(["compare", NAME, "--ablations", "--out", str(runs)]) == 0
    assert [one.name for one in trained] == [ablated.name, short.name]


def test_without_being_asked_no_ablation_is_looked_at(runs: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["compare", NAME, "--out", str(runs)]) == 0
    assert "without" not in capsys.readouterr().out
    assert kept(runs) == []


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A data folder that holds the rows of these runs and no others."""
    found = drawn("harmeme", 12)
    columns: dict[str, list[Any]] = {
        "image_name": [row.id for row in found],
        "text": [row.text for row in found],
        "image": [row.image for row in found],
        "label": [row.label for row in found],
        "target": ["community" if row.label else None for row in found],
    }
    for part in ("train", "validation"):
        pq.write_table(pa.table(columns), tmp_path / f"harmeme.{part}.parquet")
    return tmp_path


def learned(folder: Path, data: Path, *, other: bool = False) -> None:
    rows, part, _, _ = system.chosen(system_recipe.read(NAME), data)
    keys = system.keys([row for row, number in zip(rows, part, strict=True) if not number])
    np.savez(
        folder / evaluation_files.PREDICTIONS, **{evaluation_files.LEARNED: keys + np.uint64(1) if other else keys}
    )


@pytest.mark.parametrize("other", [False, True])
def test_a_run_that_learned_from_other_rows_is_not_taken_for_one_on_these(
    other: bool, runs: Path, rows: Path, trained: list[system_recipe.SystemRecipe]
) -> None:
    for folder in (*runs.iterdir(), rows / "weights" / NAME):
        learned(folder, rows, other=other)
    assert command.main(["compare", NAME, "--ablations", "--out", str(runs), "--data", str(rows)]) == 0
    assert len(trained) == (1 + len(system_recipe.read(NAME).ablations) if other else 0)
    assert not any(recipe.ship for recipe in trained)  # what ships stays, and gets no ablation on other rows
    assert kept(runs) == ([] if other else list(system_recipe.read(NAME).ablations))


def test_what_ships_counts_where_it_learned_from_these_rows(
    runs: Path, rows: Path, trained: list[system_recipe.SystemRecipe], capsys: pytest.CaptureFixture
) -> None:
    shipped = rows / "weights" / NAME
    (shipped / "metrics.json").write_text(json.dumps(figures(0.3)))
    learned(shipped, rows)
    assert command.main(["compare", NAME, "--out", str(runs), "--data", str(rows)]) == 0
    assert trained == [] and "0.300 (0.200" in capsys.readouterr().out


def test_rows_that_cannot_be_read_are_told(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["compare", NAME, "--out", str(runs), "--data", str(tmp_path / "none")]) == 2
    assert "There is no data folder at" in capsys.readouterr().err
