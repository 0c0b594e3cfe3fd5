"""Fits the linear branch of a multitask model in closed form.

Where labels are mostly noise, as Memotion's are, a strongly regularised linear model on the mean tokens ranks unseen
memes better than any network trained by gradients does; the network then learns what is left over, which may be
nothing. Ridge regression on the classes' indicators gives class probabilities; they are turned into logits around the
classes' frequencies, so that the branch stays one linear layer.
"""

from collections.abc import Sequence

import numpy as np
import torch

from models.classifiers.heads import Head
from models.evaluation_files import UNKNOWN
from models.fusion.base import masked_mean
from training.calibration.decision_rules import split_by_head
from training.engine.linear_branch import LinearBranch
from training.multitask.config import LinearBranchConfig
from training.multitask.data import Prepared

BATCH_SIZE = 256
MIN_STD = 1e-4


def fit(
    branch: LinearBranch, data: Prepared, rows: np.ndarray, heads: Sequence[Head], config: LinearBranchConfig
) -> None:
    """Fits the branch in place on these rows."""
    scales = {"image": config.image_scale, "text": config.text_scale}
    features, standardised_by = [], {}
    for modality in branch.layers:
        tokens, present = _mean_tokens(data, rows, modality)
        mean, std = tokens[present].mean(0), tokens[present].std(0)
        std[std < MIN_STD] = np.inf  # what never varies tells nothing, and would be all rounding error
        std *= np.sqrt(tokens.shape[1]) / scales[modality]
        features.append((tokens - mean) / std * present[:, None])
        standardised_by[modality] = (torch.from_numpy(mean), torch.from_numpy(std).float())
    weight, bias = _ridge_logits(
        np.concatenate(features, axis=1).astype(np.float32), data.target[rows], heads, config.alpha
    )
    widths = [len(mean) for mean, _ in standardised_by.values()]
    for (modality, (mean, std)), part in zip(standardised_by.items(), weight.split(widths, dim=1), strict=True):
        branch.set_standardised(modality, part, mean, std)
    branch.bias.copy_(bias)


def _ridge_logits(
    features: np.ndarray, targets: np.ndarray, heads: Sequence[Head], alpha: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight [logits, features] and bias [logits] of the layer.

    A logit of a single-label head stands for its class, of other heads for all classes above a boundary.
    """
    slopes, intercepts = [], []
    for head, head_target in zip(heads, split_by_head(heads, targets), strict=True):
        single = head.kind == "single"
        for labels, target in zip(head_target.T, head.targets, strict=True):
            known = labels != UNKNOWN
            mean = features[known].mean(0)
            centred = features[known] - mean
            gram = centred.T @ centred + alpha * np.eye(centred.shape[1], dtype=centred.dtype)
            for number in range(len(target.classes) - (not single)):
                indicator = (labels[known] == number if single else labels[known] > number).astype(np.float32)
                frequency = indicator.mean().clip(1e-3, 1 - 1e-3)
                slope = np.linalg.solve(gram, centred.T @ (indicator - frequency))
                if single:
                    logit, derivative = np.log(frequency), 1 / frequency  # of the logit at the class's frequency
                else:
                    logit, derivative = np.log(frequency / (1 - frequency)), 1 / (frequency * (1 - frequency))
                slopes.append(slope * derivative)
                intercepts.append(logit - mean @ slope * derivative)
    return torch.from_numpy(np.stack(slopes)).float(), torch.tensor(np.array(intercepts)).float()


def _mean_tokens(data: Prepared, rows: np.ndarray, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean token of each row float32 [rows, width], and whether it has one, bool [rows]."""
    means, masks = [], []
    for start in range(0, len(rows), BATCH_SIZE):
        batch = data.batch(rows[start : start + BATCH_SIZE])
        tokens, mask = batch[modality], batch[f"{modality}_mask"]
        means.append(masked_mean(tokens, mask).numpy())
        masks.append(mask.any(1).numpy())
    return np.concatenate(means), np.concatenate(masks)
