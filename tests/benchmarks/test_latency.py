"""The figures of `benchmarks/latency.py` are flat, and the processes that it times answer."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from benchmarks import common, full_size, latency
from tests.fakes import FakeAnalyzer


def timed_process(build: Callable[..., Any], *, threads: int, **options: Any) -> nullcontext[Callable[..., float]]:
    """The stack takes 700 ms, as it says, and the clip profile 350."""
    assert threads >= 1
    if build is full_size.stack:
        assert options["pieces"] > len(common.CAPTION.split())
        return nullcontext(lambda: 700.0)
    return nullcontext(lambda measurement="": 2500.0 if measurement == "everything" else 350.0)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> FakeAnalyzer:
    fake = FakeAnalyzer()
    monkeypatch.setattr(latency, "Analyzer", lambda threads: fake)
    monkeypatch.setattr(latency, "timed_process", timed_process)
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

    def remembered(build: Callable[..., Any], **options: Any) -> nullcontext[Callable[..., float]]:
        built.extend([options["dtype"]] if "dtype" in options else [])
        return timed_process(build, **options)

    monkeypatch.setattr(latency, "timed_process", remembered)
    monkeypatch.setattr(latency, "random_weights", nullcontext)
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


def build_for_the_test(milliseconds: float) -> full_size.Measures:
    runs: list[None] = []
    return {"": lambda: milliseconds + float(runs.append(None) or len(runs)), "everything": lambda: 7.0}  # type: ignore[func-returns-value]


def test_a_timed_process_builds_once_and_takes_the_measurement_that_is_named() -> None:
    with full_size.timed_process(build_for_the_test, milliseconds=5.0) as time:
        assert [time(), time(), time("everything")] == [6.0, 7.0, 7.0]


def test_a_timed_process_that_cannot_be_built_is_told() -> None:
    with full_size.timed_process(build_for_the_test) as time, pytest.raises(SystemExit, match=r"requirements\.txt"):
        time()
