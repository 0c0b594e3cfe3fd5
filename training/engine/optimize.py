"""One optimiser step, for training loops that are too small for Lightning."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


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
