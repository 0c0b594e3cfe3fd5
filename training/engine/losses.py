"""The losses of the four kinds of head (`models/classifiers/heads.py` tells what they answer), with class weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from models.classifiers.heads import Head

UNKNOWN = -1  # a row without an answer to a question: it adds nothing to the loss


def class_weights(targets: np.ndarray, head: Head, strength: float) -> list[Tensor]:
    """A weight a class and question: (rows / rows of the class) ** strength, scaled so that the mean row weighs 1.

    `strength` 0 weighs all rows alike, 1 all classes.
    """
    found = []
    for number, question in enumerate(head.questions):
        known = targets[:, number][targets[:, number] != UNKNOWN]
        counts = np.bincount(known, minlength=len(question.classes))
        weights = np.where(counts > 0, (len(known) / np.maximum(counts, 1)) ** strength, 0.0)
        mean = (weights * counts).sum() / max(1, len(known))
        found.append(torch.tensor(weights / (mean or 1.0), dtype=torch.float32))
    return found


def loss(head: Head, logits: Tensor, targets: Tensor, weights: list[Tensor], smoothing: float = 0.0) -> Tensor:
    """The mean over the questions; logits (B, head.logits), targets (B, questions) class numbers or UNKNOWN."""
    parts = []
    for number, weight in enumerate(weights):
        known = targets[:, number] != UNKNOWN
        target, row_weight = targets[known, number], weight[targets[known, number]]
        if not len(target):
            parts.append(logits.sum() * 0)
            continue
        if head.kind == "single":
            each = cross_entropy(logits[known], target, reduction="none", label_smoothing=smoothing)
        else:
            if head.kind == "ordinal":
                boundaries = torch.arange(logits.shape[1], device=logits.device)
                wanted, given = (target[:, None] > boundaries).float(), logits[known]  # (n, C - 1)
            else:
                wanted, given = target[:, None].float(), logits[known, number : number + 1]
            wanted = wanted * (1 - smoothing) + smoothing / 2
            each = binary_cross_entropy_with_logits(given, wanted, reduction="none").mean(1)
        parts.append((each * row_weight).mean())
    return torch.stack(parts).mean()
