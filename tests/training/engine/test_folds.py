"""Rows of one group never part, and the draws are those that shipped figures were made with."""

from __future__ import annotations

import numpy as np

from training.engine.folds import TRAIN_ONLY, group_folds, group_holdout, stratified_group_folds

GROUPS = np.array(["a", "b", "a", "c", "d", "e", "e", "f", "b", "g"])


def whole(folds: np.ndarray) -> bool:
    """Whether each group lies in one fold."""
    return all(len(set(folds[name == GROUPS])) == 1 for name in GROUPS)


def test_group_folds_spread_the_groups_evenly() -> None:
    folds = group_folds(GROUPS, 3, np.random.default_rng(0))
    assert whole(folds)
    counts = [len(set(GROUPS[folds == fold])) for fold in range(3)]
    assert sorted(counts) == [2, 2, 3]
    np.testing.assert_array_equal(folds, [2, 1, 2, 0, 0, 2, 2, 0, 1, 1])


def test_stratified_folds_keep_groups_whole_and_spread_the_classes() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 0, 1, 0])
    folds = stratified_group_folds(labels, GROUPS, 2, seed=7)
    assert whole(folds)
    assert set(folds) == {0, 1}
    assert abs(labels[folds == 0].mean() - labels[folds == 1].mean()) < 0.25


def test_a_holdout_takes_whole_groups() -> None:
    folds = group_holdout(GROUPS, 0.3, seed=7)
    assert whole(folds)
    assert set(folds) == {0, TRAIN_ONLY}
    np.testing.assert_array_equal(folds, group_holdout(GROUPS, 0.3, seed=7))
