"""What the benchmarks share: sections of documents, reports, turns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import common

SCRIPTS = sorted(path.stem for path in (common.ROOT / "benchmarks").glob("*.py") if "def main" in path.read_text())


def test_only_what_lies_between_the_marks_changes() -> None:
    begin, end = "<!-- figures: python -m benchmarks.readme -->", "<!-- end of figures -->"
    text = f"above\n{begin}\nold\n{end}\nbelow\n"
    filled = common.fill(text, "figures", "new")
    assert filled == f"above\n{begin}\n\nnew\n\n{end}\nbelow\n"
    assert common.fill(filled, "figures", "new") == filled
    with pytest.raises(SystemExit, match="lacks the lines"):
        common.fill(text, "session", "new")


@pytest.mark.parametrize("metrics", [{"analyze_ms": 42.3, "rounds": 30}, {"words": {"rows": 7, "macro_f1": 0.5}}])
def test_a_report_is_printed_and_written(
    metrics: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common.report(metrics, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == metrics
    printed = capsys.readouterr().out
    assert all(name in printed for name in metrics)


def test_both_sides_run_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "PAUSE_S", 0.0)
    calls: list[str] = []
    times = {"first": iter([99.0, 99.0, 6.0, 5.0, 4.0]), "second": iter([99.0, 99.0, 3.0, 1.0, 2.0])}

    def run(side: str) -> float:
        calls.append(side)
        return next(times[side])

    medians = common.median_ms_in_turns(lambda: run("first"), lambda: run("second"), rounds=3)
    assert calls == ["first", "second"] * 5
    assert medians == (5.0, 2.0)  # the first two rounds only warm up


@pytest.mark.parametrize("name", ["latency", "memory", "faces", "readme"])
def test_each_runs_as_a_script(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(common.ROOT / "benchmarks" / f"{name}.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage" in done.stdout


def test_every_script_puts_the_repository_on_the_path() -> None:
    assert {"latency", "memory", "throughput", "load", "ocr", "composed", "faces", "readme"} <= set(SCRIPTS)
    for name in SCRIPTS:
        text = (common.ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        path, first_import = text.find("sys.path.insert(0"), text.find("\nfrom benchmarks")
        assert 0 < path < first_import, f"benchmarks/{name}.py cannot be run as a script"
