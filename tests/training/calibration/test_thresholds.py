"""Scaling, thresholds and bands on rows drawn so that the right choice is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

from training.calibration.thresholds import (
    PlattScaling,
    Source,
    best_f1_thresholds,
    choose_bands,
    choose_label_thresholds,
    choose_threshold,
    cross_fitted_f1,
    expected_f1_thresholds,
    fit_platt,
    fit_temperature,
)


def test_bands_bound_false_alarms_and_misses() -> None:
    bands = choose_bands(np.linspace(0.3, 1, 100), 0.1, [(np.linspace(0, 0.8, 100), 0.1), (np.zeros(100), 0.05)])
    assert bands == {"review_from": pytest.approx(0.37, abs=0.001), "hateful_from": pytest.approx(0.72, abs=0.001)}


@pytest.mark.parametrize(("hateful", "harmless"), [(0.999, 0.001), (0.001, 0.999)])
def test_bands_stay_bands_when_all_is_clear_and_when_nothing_is(hateful: float, harmless: float) -> None:
    bands = choose_bands(np.full(100, hateful), 0.1, [(np.full(100, harmless), 0.1)])
    assert 0 <= bands["review_from"] <= 0.45
    assert 0.55 <= bands["hateful_from"] <= 0.95


def test_the_threshold_is_the_one_that_separates_the_labels() -> None:
    probs = np.linspace(0.01, 0.99, 99)
    for edge in (0.3, 0.5, 0.7):
        assert choose_threshold([(probs, (probs >= edge).astype(int))]) == pytest.approx(edge, abs=0.011)


def test_every_source_counts_once_for_the_threshold() -> None:
    probs = np.linspace(0.01, 0.99, 99)
    low, high = ((probs, (probs >= edge).astype(int)) for edge in (0.35, 0.65))
    many = (np.tile(low[0], 50), np.tile(low[1], 50))
    threshold = choose_threshold([many, high])
    assert 0.34 <= threshold <= 0.66
    assert choose_threshold([low, high]) == threshold


def test_each_label_gets_the_threshold_that_separates_it() -> None:
    probs = np.linspace(0.005, 0.995, 100)
    edges = (0.1, 0.5, 0.9)
    labels = np.stack([probs > edge for edge in edges], axis=1).astype(int)
    assert best_f1_thresholds(np.stack([probs] * 3, axis=1), labels) == pytest.approx(np.array(edges), abs=0.011)


def test_of_equal_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    probs = np.array([[0.1, 0.6], [0.2, 0.7], [0.9, 0.8], [0.8, 0.9]])
    labels = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])
    assert best_f1_thresholds(probs, labels).tolist() == pytest.approx([0.5, 0.71], abs=0.011)


def test_a_label_that_no_row_has_gets_a_half() -> None:
    assert best_f1_thresholds(np.full((4, 1), 0.3), np.zeros((4, 1), int)).tolist() == [0.5]


def test_tuning_never_loses_on_the_rows_it_is_tuned_on() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 5)) < 0.15).astype(int)
    probs = np.clip(0.25 * labels + rng.normal(0.2, 0.15, (300, 5)), 0, 1)
    tuned = probs >= best_f1_thresholds(probs, labels)
    for label in range(5):
        for threshold in (0.3, 0.5):
            assert f1_score(labels[:, label], tuned[:, label]) >= f1_score(
                labels[:, label], probs[:, label] >= threshold
            )


def calibrated(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three labels, the first of them rare, and labels drawn with them."""
    rng = np.random.default_rng(seed)
    probs = rng.beta([0.05, 0.4, 2], [4, 2, 2], (rows, 3))
    return probs, (rng.random((rows, 3)) < probs).astype(int)


def test_the_best_threshold_of_calibrated_probabilities_is_half_of_the_best_f1() -> None:
    probs, labels = calibrated(60_000, seed=0)
    thresholds = expected_f1_thresholds(probs, labels)
    for label in range(3):
        best = f1_score(labels[:, label], probs[:, label] >= thresholds[label])
        assert thresholds[label] == pytest.approx(best / 2, abs=0.03)  # Lipton et al. 2014, theorem 1


def test_chosen_thresholds_lose_less_on_unseen_rows_than_the_best_ones_of_few_rows() -> None:
    unseen, y_true = calibrated(60_000, seed=99)

    def score(thresholds: np.ndarray) -> float:
        return float(f1_score(y_true, unseen >= thresholds, average="macro"))

    few = [calibrated(400, seed) for seed in range(20)]
    assert np.mean([score(choose_label_thresholds(*rows)) for rows in few]) > np.mean(
        [score(best_f1_thresholds(*rows)) for rows in few]
    )


def test_crossing_the_folds_takes_the_gain_of_knowing_the_answers_away() -> None:
    rng = np.random.default_rng(0)
    probs, labels = rng.random((300, 4)), (rng.random((300, 4)) < 0.1).astype(int)  # nothing to be learnt
    known = f1_score(labels, probs >= best_f1_thresholds(probs, labels), average="macro")
    assert cross_fitted_f1(probs, labels) < known


def draw(count: int, *, scale: float = 1.0, offset: float = 0.0, seed: int = 0) -> Source:
    """Logits and labels whose true probability is sigmoid(scale * logit + offset)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    return logits, (rng.random(count) < PlattScaling(scale, offset)(logits)).astype(int)


def test_platt_scaling_is_the_sigmoid_of_a_line() -> None:
    probs = PlattScaling(2.0, -1.0)(np.array([0.0, 0.5, 3.0]))
    assert probs.tolist() == pytest.approx([1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-5))])


def test_fitting_finds_the_scale_of_overconfident_logits() -> None:
    scaling = fit_platt([draw(20_000, scale=0.4)])
    assert scaling.scale == pytest.approx(0.4, abs=0.03)
    assert scaling.offset == pytest.approx(0, abs=0.06)


def test_a_source_counts_once_however_many_rows_it_has() -> None:
    small, large = draw(500, scale=2.0), draw(500, scale=0.3, seed=1)
    tripled = (np.tile(large[0], 3), np.tile(large[1], 3))
    once, thrice = fit_platt([small, large]), fit_platt([small, tripled])
    assert once.scale == pytest.approx(thrice.scale, abs=2e-3)
    assert once.offset == pytest.approx(thrice.offset, abs=2e-3)


def test_both_labels_count_the_same_however_rare_one_is() -> None:
    logits, labels = draw(4000)
    rows = (labels == 0) | (np.arange(4000) % 8 == 0)  # an eighth of the hateful rows
    full, rare = fit_platt([(logits, labels)]), fit_platt([(logits[rows], labels[rows])])
    assert rare.scale == pytest.approx(full.scale, abs=0.2)
    assert rare.offset == pytest.approx(full.offset, abs=0.2)


def test_the_temperature_corrects_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 7))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y_true = np.array([rng.choice(7, p=row) for row in probs])
    assert fit_temperature(logits * 2.5, y_true) == pytest.approx(2.5, rel=0.1)
