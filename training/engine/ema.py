"""The exponential moving average of a network's weights (Polyak and Juditsky 1992), which is validated and shipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(model: nn.Module, decay: float, *, warmup: bool = False, use_buffers: bool = False) -> AveragedModel:
    """A copy of `model` whose `update_parameters(model)`, called after each step, moves it 1 - `decay` of the way.

    With `warmup` the decay of update n is at most (1 + n) / (10 + n), so that a short training counts too. With
    `use_buffers` buffers are averaged as well (the statistics of batch norm); otherwise they are copied.
    """

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count))) if warmup else decay
        get_ema_multi_avg_fn(now)(averaged, current, count)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=use_buffers).requires_grad_(False)


def averaged_weights(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The state of the averaged network in the state of a module that holds the average as its attribute `name`."""
    prefix = f"{name}.module."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
