"""`training compare` sets runs that are there side by side, and keeps ablations with the system they are of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import evaluation_files
from tests.multitask_for_tests import drawn
from training import cli
from training.multitask import config, data, manifest, train
from training.multitask.config import MultitaskConfig, ScheduleConfig

NAME = "mental_health_target"


def figures(score: float) -> dict[str, Any]:
    metrics = {"macro_f1": score, "macro_f1_low": score - 0.1, "macro_f1_high": score + 0.1, "macro_f1_majority": 0.16}
    return {"target, out of fold": {"rows": 90, "accuracy": 0.5, **metrics}, "seconds": 3}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of the system and of its ablations, as if they had been trained; `weights/` with the system's folder."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights" / NAME).mkdir(parents=True)
    recipe = config.load(NAME)
    for number, trained_config in enumerate([recipe, *(recipe.ablated(name) for name in recipe.ablations)]):
        folder = tmp_path / "runs" / trained_config.name
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(figures(0.4 - number / 100)))
        made_as(folder, trained_config)
    return tmp_path / "runs"


def made_as(folder: Path, recipe: MultitaskConfig, limit: int | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.FILE).write_text(json.dumps(manifest.describe(recipe, {}, limit, "")))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[MultitaskConfig]:
    """The configurations that were trained instead of read; their runs are there then."""
    configs: list[MultitaskConfig] = []

    def run(recipe: MultitaskConfig, _: str | None, out: Path, options: train.RunOptions) -> dict[str, Any]:
        assert not options.ship  # weights that are there stay
        configs.append(recipe)
        out.mkdir(exist_ok=True)
        (out / "metrics.json").write_text(json.dumps(figures(0.9)))
        made_as(out, recipe, options.limit)
        return figures(0.9)

    monkeypatch.setattr(train, "run", run)
    return configs


def ablation_names(runs: Path) -> list[str]:
    evaluation = evaluation_files.read_evaluation(runs.parent / "weights" / NAME)
    return [ablation["name"] for ablation in evaluation.get("ablations", [])]


def test_the_best_stands_first_with_interval_and_baseline(runs: Path, capsys: pytest.CaptureFixture) -> None:
    out = runs.parent / "table.json"
    assert cli.main(["compare", NAME, "--ablations", "--out", str(runs), "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"| target, out of fold | {NAME} | 90 | 0.400 (0.300–0.500) | 0.160 | 0.500 |"
        == lines[next(number for number, line in enumerate(lines) if line.startswith("|---")) + 1]
    )
    assert set(json.loads(out.read_text())) == {
        NAME,
        *(f"{NAME}, {ablation}" for ablation in config.load(NAME).ablations),
    }
    assert ablation_names(runs) == list(config.load(NAME).ablations)


@pytest.mark.parametrize("tried", [["--limit", "5"], ["--epochs", "1"], ["--folds", "2"]])
def test_a_dry_run_is_trained_apart_and_kept_nowhere(
    tried: list[str], runs: Path, trained: list[MultitaskConfig]
) -> None:
    assert cli.main(["compare", NAME, "--ablations", "--out", str(runs), *tried]) == 0
    assert len(trained) == 1 + len(config.load(NAME).ablations)
    assert ablation_names(runs) == []
    for recipe in trained:  # the system's own run stays as it was
        assert json.loads((runs / recipe.name / "metrics.json").read_text()) != figures(0.9)
        assert json.loads((runs / f"{recipe.name}--dry-run" / "metrics.json").read_text()) == figures(0.9)
    assert cli.main(["compare", NAME, "--ablations", "--out", str(runs), *tried]) == 0
    assert len(trained) == 1 + len(config.load(NAME).ablations)  # not once more


def test_a_dry_run_that_lies_there_is_no_figure_of_the_system(runs: Path, trained: list[MultitaskConfig]) -> None:
    recipe = config.load(NAME)
    ablated = recipe.ablated("without experts")
    made_as(runs / ablated.name, ablated, limit=200)
    short = replace(recipe.ablated("without the words"), schedule=ScheduleConfig(epochs=1))
    made_as(runs / short.name, short)
    assert cli.main(["compare", NAME, "--ablations", "--out", str(runs)]) == 0
    assert [trained_config.name for trained_config in trained] == [ablated.name, short.name]


def test_without_being_asked_no_ablation_is_looked_at(runs: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["compare", NAME, "--out", str(runs)]) == 0
    assert "without" not in capsys.readouterr().out
    assert ablation_names(runs) == []


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A data folder that holds the rows of these runs and no others."""
    drawn_rows = drawn("harmeme", 12)
    columns: dict[str, list[Any]] = {
        "image_name": [row.id for row in drawn_rows],
        "text": [row.text for row in drawn_rows],
        "image": [row.image for row in drawn_rows],
        "label": [row.label for row in drawn_rows],
        "target": ["community" if row.label else None for row in drawn_rows],
    }
    for part in ("train", "validation"):
        pq.write_table(pa.table(columns), tmp_path / f"harmeme.{part}.parquet")
    return tmp_path


def learned(folder: Path, rows: Path, *, other: bool = False) -> None:
    labelled = data.read_rows(config.load(NAME), rows)
    keys = labelled.keys(labelled.training)
    np.savez(
        folder / evaluation_files.PREDICTIONS, **{evaluation_files.LEARNED: keys + np.uint64(1) if other else keys}
    )


@pytest.mark.parametrize("other", [False, True])
def test_a_run_that_learned_from_other_rows_is_not_taken_for_one_on_these(
    other: bool, runs: Path, rows: Path, trained: list[MultitaskConfig]
) -> None:
    for folder in (*runs.iterdir(), rows / "weights" / NAME):
        learned(folder, rows, other=other)
    assert cli.main(["compare", NAME, "--ablations", "--out", str(runs), "--data", str(rows)]) == 0
    assert len(trained) == (1 + len(config.load(NAME).ablations) if other else 0)
    assert ablation_names(runs) == ([] if other else list(config.load(NAME).ablations))  # no ablation on other rows


def test_what_ships_counts_where_it_learned_from_these_rows(
    runs: Path, rows: Path, trained: list[MultitaskConfig], capsys: pytest.CaptureFixture
) -> None:
    shipped = rows / "weights" / NAME
    (shipped / "metrics.json").write_text(json.dumps(figures(0.3)))
    learned(shipped, rows)
    assert cli.main(["compare", NAME, "--out", str(runs), "--data", str(rows)]) == 0
    assert trained == [] and "0.300 (0.200" in capsys.readouterr().out


def test_rows_that_cannot_be_read_are_told(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["compare", NAME, "--out", str(runs), "--data", str(tmp_path / "none")]) == 2
    assert "There is no data folder at" in capsys.readouterr().err
