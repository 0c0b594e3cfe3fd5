"""Folds of a cross-validation: rows of one group (near-copies, say) always share a fold."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

TRAIN_ONLY = -1  # the fold of rows that no network leaves out


def group_folds(groups: Sequence[object] | np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """A fold from 0 to `count` - 1 for each row, int64 [rows]; folds have about as many groups each, drawn by `rng`."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    return np.asarray(rng.permutation(np.arange(len(names)) % count)[index])


def stratified_group_folds(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A fold from 0 to `count` - 1 for each row, int64 [rows], with the classes of `labels` [rows] spread evenly."""
    folds = np.zeros(len(labels), int)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, test_rows) in enumerate(splitter.split(labels, labels, groups)):
        folds[test_rows] = number
    return folds


def group_holdout(groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """0 for the rows of about this fraction of the groups, which are held out, and `TRAIN_ONLY` for the others."""
    folds = np.full(len(groups), TRAIN_ONLY)
    _, test_rows = next(GroupShuffleSplit(1, test_size=fraction, random_state=seed).split(groups, groups=groups))
    folds[test_rows] = 0
    return folds
