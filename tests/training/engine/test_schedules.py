from __future__ import annotations

import pytest
import torch

from training.engine import schedules


def rates(build, steps: int) -> list[float]:  # type: ignore[no-untyped-def]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = build(optimizer)
    values = []
    for _ in range(steps):
        values.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return values


def test_linear_goes_up_then_down_in_straight_lines() -> None:
    values = rates(lambda optimizer: schedules.linear_with_warmup(optimizer, warmup=4, steps=12), 14)
    assert values == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0])


def test_a_floor_holds_the_rate_up_after_the_warmup() -> None:
    values = rates(lambda optimizer: schedules.linear_with_warmup(optimizer, warmup=2, steps=6, floor=0.6), 7)
    assert values == pytest.approx([1.0, 2.0, 2.0, 1.5, 1.2, 1.2, 1.2])
    constant = rates(lambda optimizer: schedules.linear_with_warmup(optimizer, warmup=0, steps=4, floor=1.0), 4)
    assert constant == [2.0] * 4


def test_cosine_is_torchs_own_after_the_warmup() -> None:
    plain = rates(lambda optimizer: schedules.cosine_with_warmup(optimizer, steps=8), 8)
    torchs = rates(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8), 8)
    assert plain == pytest.approx(torchs)
    warmed = rates(lambda optimizer: schedules.cosine_with_warmup(optimizer, warmup=2, steps=10), 12)
    assert warmed == pytest.approx([1.0, 2.0, *plain, 0.0, 0.0])
