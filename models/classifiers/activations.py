"""Sigmoid and softmax in NumPy: importing scipy.special would cost the `mini` profile 25 MB and half a second."""

from __future__ import annotations

import numpy as np


def sigmoid(logits: np.ndarray | float) -> np.ndarray:
    """1 / (1 + exp(-logits)) in float64, without overflow."""
    probs: np.ndarray = 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))
    return probs


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    probs: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return probs
