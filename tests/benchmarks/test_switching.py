"""What the switching benchmark reports, with fakes in the models' place."""

from __future__ import annotations

import pytest

from benchmarks import switching
from components.shared.engine import Engine
from tests.components.shared.test_engine import Shop


def test_profiles_alternate_and_each_is_compared_with_its_own_first() -> None:
    shop = Shop()
    found = switching.measure(Engine(shop.build), 4)  # type: ignore[arg-type]
    assert [name for name, _ in found] == ["clip", "mini", "clip", "mini"]
    assert shop.most == 1


def test_the_worst_growth_is_of_any_later_switch() -> None:
    figures = switching.summary([("clip", 1000), ("mini", 500), ("clip", 1080), ("mini", 490), ("clip", 1010)])
    assert figures == {
        "switches": 5, "first_clip_mb": 1000, "last_clip_mb": 1010, "first_mini_mb": 500, "last_mini_mb": 490,
        "worst_growth": pytest.approx(0.08),
    }  # fmt: skip
