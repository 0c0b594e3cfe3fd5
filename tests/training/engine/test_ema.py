from __future__ import annotations

import pytest
import torch
from torch import nn

from training.engine import ema


def averaged(values: list[float], **options: float) -> float:
    """The average of a layer whose only weight takes these values in turn."""
    layer = nn.Linear(1, 1, bias=False)
    average = ema.moving_average(layer, **options)  # type: ignore[arg-type]
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
    copied, mean = ema.moving_average(norm, 0.5), ema.moving_average(norm, 0.5, use_buffers=True)
    for value in (1.0, 3.0):
        norm.running_mean.fill_(value)  # type: ignore[union-attr,operator]
        copied.update_parameters(norm)
        mean.update_parameters(norm)
    assert copied.module.running_mean.item() == 3.0
    assert mean.module.running_mean.item() == 2.0


def test_the_average_is_read_from_its_owners_state() -> None:
    class Owner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(2, 2)
            self.mean = ema.moving_average(self.net, 0.9)

    owner = Owner()
    nn.init.zeros_(owner.net.weight)
    weights = ema.averaged_weights(owner.state_dict(), "mean")
    assert weights.keys() == owner.net.state_dict().keys()
    assert torch.equal(weights["weight"], owner.mean.module.weight)
    assert not any(p.requires_grad for p in owner.mean.parameters())
