"""`training compare` sets runs that are there side by side, and keeps ablations with the system they are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training import __main__ as command
from training import evaluation, system_recipe

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
    return tmp_path / "runs"


def kept(runs: Path) -> list[str]:
    held = evaluation.read(runs.parent / "weights" / NAME)
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


def test_a_try_on_a_few_rows_is_kept_nowhere(runs: Path) -> None:
    assert command.main(["compare", NAME, "--ablations", "--out", str(runs), "--limit", "5"]) == 0
    assert kept(runs) == []


def test_without_being_asked_no_ablation_is_looked_at(runs: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["compare", NAME, "--out", str(runs)]) == 0
    assert "without" not in capsys.readouterr().out
    assert kept(runs) == []
