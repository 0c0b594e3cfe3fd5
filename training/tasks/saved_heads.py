"""Thresholds and calibrations of cards as rules of a head, by which the Evaluation page reads saved predictions."""

from __future__ import annotations

import numpy as np

from models.classifiers.heads import Rule


def threshold_rule(threshold: float, scale: float = 1.0, offset: float = 0.0) -> Rule:
    """Yes from `threshold` on, after Platt scaling sigmoid(scale * logit + offset): the offset is split between no and yes."""
    half = float(np.log(threshold / (1 - threshold))) / 2
    return Rule(scale, (-offset / 2, offset / 2), (half, -half))
