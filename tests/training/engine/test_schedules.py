from __future__ import annotations

import pytest
import torch
from torch import nn

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


def averaged(values: list[float], **options: float) -> float:
    """The average of a layer whose only weight takes these values in turn."""
    layer = nn.Linear(1, 1, bias=False)
    average = schedules.moving_average(layer, **options)  # type: ignore[arg-type]
    for value in values:
        nn.init.constant_(layer.weight, value)
        average.update_parameters(layer)
    return average.module.weight.item()


def test_each_step_moves_the_average_by_what_the_decay_leaves() -> None:
    assert averaged([1.0, 2.0, 4.0], decay=0.75) == pytest.approx(0.75 * (0.75 * 1 + 0.25 * 2) + 0.25 * 4)


def test_with_a_warmup_the_first_steps_move_it_further() -> None:
    early = 2 / 11 * 1 + 9 / 11 * 2
    assert averaged([1.0, 2.0, 4.0], decay=0.9, warmup=True) == pytest.approx(3 / 12 * early + 9 / 12 * 4)


def test_buffers_are_copied_or_averaged() -> None:
    norm = nn.BatchNorm1d(1)
    copied, mean = schedules.moving_average(norm, 0.5), schedules.moving_average(norm, 0.5, use_buffers=True)
    for value in (1.0, 3.0):
        norm.running_mean.fill_(value)  # type: ignore[union-attr,operator]
        copied.update_parameters(norm)
        mean.update_parameters(norm)
    assert copied.module.running_mean.item() == 3.0
    assert not any(parameter.requires_grad for parameter in copied.parameters())
    assert mean.module.running_mean.item() == 2.0
