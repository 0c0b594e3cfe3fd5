from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from models.emotions.text import LABELS
from training.emotions.text import choose_thresholds, cross_fitted_f1, expected_thresholds, targets, tune_thresholds


def test_names_become_columns() -> None:
    found = targets(pd.Series([["joy", "love"], [], ["neutral"]]))
    assert (found.shape, found.dtype) == ((3, 28), np.float32)
    assert [[LABELS[column] for column in np.flatnonzero(row)] for row in found] == [["joy", "love"], [], ["neutral"]]
    with pytest.raises(KeyError, match="boredom"):
        targets(pd.Series([["boredom"]]))


def test_each_label_gets_the_threshold_that_parts_it() -> None:
    chances = np.linspace(0.005, 0.995, 100)
    edges = (0.1, 0.5, 0.9)
    wanted = np.stack([chances > edge for edge in edges], axis=1).astype(int)
    assert tune_thresholds(np.stack([chances] * 3, axis=1), wanted) == pytest.approx(np.array(edges), abs=0.011)


def test_of_equal_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    chances = np.array([[0.1, 0.6], [0.2, 0.7], [0.9, 0.8], [0.8, 0.9]])
    wanted = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])
    assert tune_thresholds(chances, wanted).tolist() == pytest.approx([0.5, 0.71], abs=0.011)


def test_a_label_that_no_row_has_keeps_a_half() -> None:
    assert tune_thresholds(np.full((4, 1), 0.3), np.zeros((4, 1), int)).tolist() == [0.5]


def test_tuning_never_loses_on_the_rows_it_is_tuned_on() -> None:
    rng = np.random.default_rng(0)
    wanted = (rng.random((300, 5)) < 0.15).astype(int)
    chances = np.clip(0.25 * wanted + rng.normal(0.2, 0.15, (300, 5)), 0, 1)
    tuned = chances >= tune_thresholds(chances, wanted)
    for label in range(5):
        for threshold in (0.3, 0.5):
            assert f1_score(wanted[:, label], tuned[:, label]) >= f1_score(
                wanted[:, label], chances[:, label] >= threshold
            )


def calibrated(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three labels, the first of them rare, and labels drawn with them."""
    rng = np.random.default_rng(seed)
    chances = rng.beta([0.05, 0.4, 2], [4, 2, 2], (rows, 3))
    return chances, (rng.random((rows, 3)) < chances).astype(int)


def test_the_best_threshold_of_calibrated_chances_is_half_of_the_best_f1() -> None:
    chances, wanted = calibrated(60_000, seed=0)
    found = expected_thresholds(chances, wanted)
    for label in range(3):
        best = f1_score(wanted[:, label], chances[:, label] >= found[label])
        assert found[label] == pytest.approx(best / 2, abs=0.03)  # Lipton et al. 2014, theorem 1


def test_chosen_thresholds_lose_less_on_unseen_rows_than_the_best_ones_of_few_rows() -> None:
    unseen, truth = calibrated(60_000, seed=99)

    def score(thresholds: np.ndarray) -> float:
        return float(f1_score(truth, unseen >= thresholds, average="macro"))

    few = [calibrated(400, seed) for seed in range(20)]
    assert np.mean([score(choose_thresholds(*rows)) for rows in few]) > np.mean(
        [score(tune_thresholds(*rows)) for rows in few]
    )


def test_crossing_the_folds_takes_the_gain_of_knowing_the_answers_away() -> None:
    rng = np.random.default_rng(0)
    chances, wanted = rng.random((300, 4)), (rng.random((300, 4)) < 0.1).astype(int)  # nothing to be learnt
    known = f1_score(wanted, chances >= tune_thresholds(chances, wanted), average="macro")
    assert cross_fitted_f1(chances, wanted) < known
