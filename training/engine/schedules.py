"""Learning-rate schedules by step, and the dictionary in which Lightning takes them."""

from __future__ import annotations

import math

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def linear_with_warmup(optimizer: Optimizer, *, warmup: int, steps: int, floor: float = 0.0) -> LambdaLR:
    """Up to the full rate in the first `warmup` steps, then in a straight line down to 0 at `steps`.

    The rate never falls below `floor` times the full one after the warm-up: with `floor` 1 it stays constant.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return max(floor, (steps - step) / max(1, steps - warmup))

    return LambdaLR(optimizer, factor)


def cosine_with_warmup(optimizer: Optimizer, *, steps: int, warmup: int = 0) -> LambdaLR:
    """Up to the full rate in the first `warmup` steps, then along half a cosine down to 0 at `steps`.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return LambdaLR(optimizer, factor)


def step_every_batch(scheduler: LRScheduler) -> OptimizerLRSchedulerConfig:
    """What `configure_optimizers` returns for a schedule that counts optimiser steps, not epochs."""
    return {"optimizer": scheduler.optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
