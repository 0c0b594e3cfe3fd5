"""How weights move: learning-rate schedules by step, one step for small loops, and the moving average of the weights."""

import math
from collections.abc import Callable, Sequence

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def linear_with_warmup(optimizer: Optimizer, *, warmup: int, steps: int, floor: float = 0.0) -> LambdaLR:
    """Up to the full rate in the first `warmup` steps, then in a straight line down to 0 at `steps`.

    The rate never falls below `floor` times the full one after the warm-up: with `floor` 1 it stays constant.
    """
    return _with_warmup(optimizer, warmup, steps, lambda left: max(floor, left))


def cosine_with_warmup(optimizer: Optimizer, *, steps: int, warmup: int = 0) -> LambdaLR:
    """Up to the full rate in the first `warmup` steps, then along half a cosine down to 0 at `steps`.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """
    return _with_warmup(optimizer, warmup, steps, lambda left: 0.5 * (1 - math.cos(math.pi * max(0.0, left))))


def one_cycle(optimizer: Optimizer, *, lr: float, warmup: float, steps: int) -> OneCycleLR:
    """Up to `lr` in the fraction `warmup` of the steps, then down to almost 0 (Smith and Topin 2018); the momentum stays."""
    return OneCycleLR(optimizer, lr, total_steps=steps, pct_start=warmup, cycle_momentum=False)


def _with_warmup(optimizer: Optimizer, warmup: int, steps: int, decay: Callable[[float], float]) -> LambdaLR:
    """After the warm-up the factor is `decay` of the fraction of the steps that is left."""

    def factor(step: int) -> float:
        return (step + 1) / warmup if step < warmup else decay((steps - step) / max(1, steps - warmup))

    return LambdaLR(optimizer, factor)


def step_every_batch(scheduler: LRScheduler) -> OptimizerLRSchedulerConfig:
    """What `configure_optimizers` returns for a schedule that counts optimiser steps, not epochs."""
    return {"optimizer": scheduler.optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def optimize(
    loss: Tensor, optimizer: Optimizer, schedule: LRScheduler | None = None, max_norm: float = math.inf
) -> None:
    """Takes a step against the gradient of `loss`, whose norm over all parameters is clipped to `max_norm`.

    Raises `RuntimeError` if the norm is not finite.
    """
    optimizer.zero_grad()
    loss.backward()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    nn.utils.clip_grad_norm_(parameters, max_norm, error_if_nonfinite=True)
    optimizer.step()
    if schedule is not None:
        schedule.step()


def moving_average(model: nn.Module, decay: float, *, warmup: bool = False, use_buffers: bool = False) -> AveragedModel:
    """A copy of `model` whose `update_parameters(model)`, called after each step, moves it 1 - `decay` of the way.

    With `warmup` the decay of update n is at most (1 + n) / (10 + n), so that a short training counts too. With
    `use_buffers` buffers are averaged as well (the statistics of batch norm); otherwise they are copied.
    Source: Polyak and Juditsky 1992.
    """

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        now = min(decay, (1 + int(count)) / (10 + int(count))) if warmup else decay
        get_ema_multi_avg_fn(now)(averaged, current, count)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=use_buffers).requires_grad_(False)
