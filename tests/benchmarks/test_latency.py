"""The figures of `benchmarks/latency.py` are flat, and both sides run in turns."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from benchmarks import latency, stack
from tests.fakes import FakeAnalyzer

ROOT = Path(__file__).parents[2]


class FakeStack:
    """Takes 700 ms, as it says."""

    def __init__(self, threads: int, pieces: int) -> None:
        assert threads >= 1
        assert pieces > len(latency.WORDS.split())

    def __enter__(self) -> FakeStack:
        return self

    def __exit__(self, *_: object) -> None: ...

    def time(self) -> float:
        return 700.0


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> FakeAnalyzer:
    fake = FakeAnalyzer()
    monkeypatch.setattr(latency, "Analyzer", lambda threads: fake)
    monkeypatch.setattr(latency, "Stack", FakeStack)
    monkeypatch.setattr(latency, "REST", 0.0)
    monkeypatch.setattr(latency, "first_verdict", iter([3.0, 9.0, 4.0]).__next__)
    return fake


def test_the_figures_are_flat_and_medians(faked: FakeAnalyzer) -> None:
    figures = latency.measure(rounds=3)
    assert all(type(value) in (int, float) for value in figures.values())
    assert figures["first_verdict_s"] == 4.0
    assert figures["stack_ms"] == 700.0
    assert figures["times_faster_than_stack"] > 7
    assert figures["everything_s"] <= figures["everything_slowest_s"]
    memes = len(list(latency.GALLERY.glob("*.webp")))
    assert faked.reader.calls == memes + 1  # every meme once, after one that warms up


def test_the_clip_profile_is_timed_beside_the_stack_in_both_precisions(
    faked: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str | None] = []

    class FakeFullSize(FakeStack):
        def __init__(self, threads: int, dtype: str | None) -> None:
            built.append(dtype)

        def time(self, asked: str = "") -> float:
            return 2.5 if asked == "everything" else 350.0

    monkeypatch.setattr(latency, "FullSize", FakeFullSize)
    monkeypatch.setattr(latency.random_models, "folder", nullcontext)
    figures = latency.measure_clip(rounds=2)
    assert built == [None, "float32"]
    assert figures["clip_times_faster_than_stack"] == figures["clip_float32_times_faster_than_stack"] == 2.0
    assert figures["clip_everything_s"] == 2.5
    assert all(type(value) in (int, float) for value in figures.values())


def test_a_meme_whose_face_is_not_found_is_not_measured(faked: FakeAnalyzer) -> None:
    faked.failed = ("faces",)
    with pytest.raises(SystemExit, match="face"):
        latency.measure(rounds=1)


def test_both_sides_run_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "REST", 0.0)
    calls: list[str] = []
    times = iter([999.0, 999.0, 3.0, 1.0, 2.0])

    def theirs() -> float:
        calls.append("theirs")
        return next(times)

    _, median = latency.in_turns(lambda: calls.append("ours"), theirs, rounds=3)
    assert calls == ["ours", "theirs"] * 5
    assert median == 2.0  # the first two only warm up


def test_the_stack_answers_each_line_with_a_time() -> None:
    answers = io.StringIO()
    runs: list[Any] = []
    stack.serve(lambda: runs.append(None), io.StringIO("\n\n\n"), answers)
    assert len(runs) == 3
    assert [float(line) >= 0 for line in answers.getvalue().splitlines()] == [True] * 3


@pytest.mark.parametrize("name", ["latency", "memory", "faces", "readme"])
def test_each_runs_as_a_script(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage" in done.stdout
