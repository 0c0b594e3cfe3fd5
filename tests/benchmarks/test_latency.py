"""The figures of `benchmarks/latency.py` are flat, and the processes that it times answer."""

from __future__ import annotations

import ast
import importlib.util
import io
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from benchmarks import common, latency, timed
from tests.fakes import FakeAnalyzer


class FakeStack:
    """Takes 700 ms, as it says."""

    def __init__(self, threads: int, pieces: int) -> None:
        assert threads >= 1
        assert pieces > len(common.CAPTION.split())

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
    monkeypatch.setattr(common, "PAUSE_S", 0.0)
    monkeypatch.setattr(latency, "first_verdict_s", iter([3.0, 9.0, 4.0]).__next__)
    return fake


def test_the_figures_are_flat_and_medians(faked: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    memes = len(common.gallery_memes())
    times = iter([100.0] * (common.WARM_UP_ROUNDS + 3) + [500.0] * (memes - 1) + [900.0])

    def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
        call()
        return next(times), 0.0

    monkeypatch.setattr(latency, "milliseconds", milliseconds)
    figures = latency.measure(rounds=3)
    assert all(type(value) in (int, float) for value in figures.values())
    assert (figures["stack_ms"], figures["analyze_ms"], figures["times_faster_than_stack"]) == (700.0, 100.0, 7.0)
    assert (figures["everything_s"], figures["everything_slowest_s"], figures["first_verdict_s"]) == (0.5, 0.9, 4.0)
    assert faked.reader.calls == memes + 1  # every meme once, after one that warms up


def test_the_clip_profile_is_timed_beside_the_stack_in_both_precisions(
    faked: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str | None] = []

    class FakeClipProfile(FakeStack):
        def __init__(self, threads: int, dtype: str | None) -> None:
            built.append(dtype)

        def time(self, measurement: str = "") -> float:
            return 2500.0 if measurement == "everything" else 350.0

    monkeypatch.setattr(latency, "ClipProfile", FakeClipProfile)
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


def test_a_cold_start_imports_what_there_is() -> None:
    for node in ast.walk(ast.parse(latency.COLD_START)):
        if isinstance(node, ast.ImportFrom) and node.module in ("components.analyze", "components.shared"):
            for alias in node.names:
                assert importlib.util.find_spec(f"{node.module}.{alias.name}"), alias.name


def test_a_timed_process_answers_each_line_with_its_measurement() -> None:
    answers = io.StringIO()
    runs: list[Any] = []
    measures = {"": lambda: float(runs.append(None) or 5), "everything": lambda: 7.0}  # type: ignore[func-returns-value]
    timed.serve(measures, io.StringIO("\n\neverything\n"), answers)
    assert len(runs) == 2
    assert answers.getvalue() == "5.0\n5.0\n7.0\n"
