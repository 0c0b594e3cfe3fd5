"""Losses: InfoNCE, and those of the four kinds of head in `models/classifiers/heads.py` with their class weights."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from models.classifiers.heads import Head
from models.evaluation_files import UNKNOWN


def info_nce(
    queries: Tensor,
    candidates: Tensor,
    positives: Tensor,
    scale: Tensor | float,
    *,
    ignored: Tensor | None = None,
    hardness: float = 0.0,
) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) of unit vectors (Q, D) against unit vectors (C, D), times `scale`.

    The candidate of query i is row `positives[i]` (Q,). `ignored` bool (Q, C) marks further candidates that belong to the
    query (another caption of the picture): they count neither as right nor as wrong. With `hardness` b a wrong candidate
    counts exp(b * cosine) times, normalised to a mean of 1 a row (Robinson et al. 2021, equation 4).
    """
    cosines = queries @ candidates.T  # (Q, C)
    right = one_hot(positives, len(candidates)).bool()
    belongs = right if ignored is None else right | ignored
    scores = cosines * scale
    if hardness:
        with torch.no_grad():
            log_weights = (hardness * cosines).masked_fill(belongs, -math.inf)
            negatives = (~belongs).sum(1, keepdim=True).clamp(min=1)
            log_weights = log_weights - log_weights.logsumexp(1, keepdim=True) + negatives.log()
        scores = torch.where(belongs, scores, scores + log_weights)
    return cross_entropy(scores.masked_fill(belongs & ~right, -math.inf), positives)


def symmetric_info_nce(left: Tensor, right: Tensor, scale: Tensor | float, *, hardness: float = 0.0) -> Tensor:
    """The mean of InfoNCE in both directions between unit vectors (B, D), where row i belongs to row i.

    Source: Radford et al. 2021, CLIP, section 2.3.
    """
    own = torch.arange(len(left), device=left.device)
    directions = [(left, right), (right, left)]
    return sum(info_nce(*pair, own, scale, hardness=hardness) for pair in directions) / 2  # type: ignore[return-value]


def class_weights(targets: np.ndarray, head: Head, exponent: float) -> list[Tensor]:
    """A weight per target and class: (rows / rows of the class) ** `exponent`, scaled to a mean of 1 over the rows.

    `targets` int [rows, targets] may hold UNKNOWN. `exponent` 0 gives all rows the same weight, 1 all classes.
    """
    weights_by_target = []
    for column, target in enumerate(head.targets):
        known = targets[:, column][targets[:, column] != UNKNOWN]
        counts = np.bincount(known, minlength=len(target.classes))
        weights = np.where(counts > 0, (len(known) / np.maximum(counts, 1)) ** exponent, 0.0)
        mean = (weights * counts).sum() / max(1, len(known))
        weights_by_target.append(torch.tensor(weights / (mean or 1.0), dtype=torch.float32))
    return weights_by_target


def loss(head: Head, logits: Tensor, targets: Tensor, weights: list[Tensor], smoothing: float = 0.0) -> Tensor:
    """The mean over the head's targets; logits (B, head.logits), targets (B, targets) class numbers or UNKNOWN."""
    losses = []
    for column, weight in enumerate(weights):
        known = targets[:, column] != UNKNOWN
        target, row_weight = targets[known, column], weight[targets[known, column]]
        if not len(target):
            losses.append(logits.sum() * 0)
            continue
        if head.kind == "single":
            row_loss = cross_entropy(logits[known], target, reduction="none", label_smoothing=smoothing)
        else:  # a logit for each boundary between classes; yes or no has one
            y_logits = logits[known] if head.kind == "ordinal" else logits[known, column : column + 1]  # (n, C - 1)
            boundaries = torch.arange(y_logits.shape[1], device=logits.device)
            y_true = (target[:, None] > boundaries).float() * (1 - smoothing) + smoothing / 2
            row_loss = binary_cross_entropy_with_logits(y_logits, y_true, reduction="none").mean(1)
        losses.append((row_loss * row_weight).mean())
    return torch.stack(losses).mean()
