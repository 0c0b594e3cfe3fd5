"""What the switching benchmark reports, with fakes in the models' place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import switching
from components.shared.engine import Choice, Engine
from tests.fakes import INFO, FakeAnalyzer


def test_profiles_alternate_and_only_one_is_open() -> None:
    open_counts = [0]

    def build(choice: Choice, _: object) -> FakeAnalyzer:
        analyzer = FakeAnalyzer(info=replace(INFO, name=choice.profile))
        open_counts.append(open_counts[-1] + 1)
        analyzer.close = lambda: open_counts.append(open_counts[-1] - 1)  # type: ignore[attr-defined]
        return analyzer

    resident_mb = switching.measure(Engine(build), 4)  # type: ignore[arg-type]
    assert [name for name, _ in resident_mb] == ["clip", "mini", "clip", "mini"]
    assert max(open_counts) == 1


def test_the_worst_growth_is_of_any_later_switch() -> None:
    figures = switching.summary([("clip", 1000), ("mini", 500), ("clip", 1080), ("mini", 490), ("clip", 1010)])
    assert figures == {
        "switches": 5, "first_clip_mb": 1000, "last_clip_mb": 1010, "first_mini_mb": 500, "last_mini_mb": 490,
        "worst_growth": pytest.approx(0.08),
    }  # fmt: skip
