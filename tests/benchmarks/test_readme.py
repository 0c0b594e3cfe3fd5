"""The figures of the documents come from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import readme


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose every figure is .75 (.70 to .80), the baseline .5."""
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    for row in readme.QUALITY:
        rows, name = row["split"], row["metric"]
        path = tmp_path / "weights" / row["folder"] / "metrics.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        metrics = json.loads(path.read_text()) if path.exists() else {}
        figures = {name: 0.75, f"{name}_low": 0.7, f"{name}_high": 0.8, f"{name}_majority": 0.5}
        path.write_text(json.dumps(metrics | {rows: {"rows": 1234, **metrics.get(rows, {}), **figures}}))
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    speed = {
        "threads": 2, "analyze_ms": 61.4, "stack_ms": 530.0, "times_faster_than_stack": 8.63, "everything_s": 1.2,
        "first_verdict_s": 3.4,
    }  # fmt: skip
    (results / "latency.json").write_text(json.dumps(speed))
    (results / "memory.json").write_text(json.dumps({"private_mb": 412.3, "memes": 10.0}))
    return tmp_path


def test_each_figure_stands_with_its_interval_and_baseline(root: Path) -> None:
    lines = readme.figures(root, readme.QUALITY).splitlines()
    percent = [row["metric"] for row in readme.QUALITY if row["metric"].endswith("_r1")]
    wanted = {
        "0.750 (0.700–0.800) | 0.500 |": len(readme.QUALITY) - len(percent),
        "0.8 (0.7–0.8) | 0.5 |": len(percent),
    }
    for cell, count in wanted.items():
        assert sum(f"| {cell}" in line and "| 1,234 |" in line for line in lines) == count
    assert "530 ms (8.6 times as long)" in "\n".join(lines)
    assert "after 10 memes | 412 MB" in "\n".join(lines)


def test_a_missing_file_is_named(root: Path) -> None:
    (root / "benchmarks" / "results" / "memory.json").unlink()
    with pytest.raises(SystemExit, match=r"memory\.json is missing"):
        readme.figures(root, readme.QUALITY)


def test_figures_that_the_weights_lack_are_named(root: Path) -> None:
    with pytest.raises(SystemExit, match="has no figures for 'nothing'"):
        readme.figures(root, [readme.QUALITY[0] | {"split": "nothing"}])
