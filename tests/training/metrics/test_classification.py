"""Figures against numbers worked out by hand, and what the intervals and baselines mean."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import classification

TRUTH = [1, 1, 1, 0, 0, 0, 0, 0]
CHANCE = [0.9, 0.8, 0.3, 0.6, 0.2, 0.2, 0.1, 0.1]
SHOWN = ["hateful", "hateful", "not_hateful", "needs_review", *["not_hateful"] * 4]


def test_yes_or_no_by_hand() -> None:
    found = classification.binary(TRUTH, CHANCE, shown=SHOWN)
    assert found["accuracy"] == 6 / 8
    assert found["auroc"] == pytest.approx(14 / 15)  # of 3 x 5 pairs only .3 against .6 is the wrong way round
    assert found["macro_f1"] == pytest.approx(
        (2 / 3 + 4 / 5) / 2
    )  # 2 of 3 found with one false; 4 of 5 with one missed
    assert found["weighted_f1"] == pytest.approx((3 * 2 / 3 + 5 * 4 / 5) / 8)
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.49 + 0.36 + 0.04 + 0.04 + 0.01 + 0.01) / 8)
    assert found["ece"] == pytest.approx(
        (0.2 + 0.4 + 0.1 + 0.2 + 0.7 + 0.6) / 8, abs=1e-6
    )  # each value alone in its bin
    assert found["shown_hateful_rate"] == 2 / 8
    assert found["review_rate"] == 1 / 8
    assert found["false_alarm_rate"] == 0


def test_baseline_of_the_commonest_label() -> None:
    found = classification.binary(TRUTH, CHANCE)
    assert found["accuracy_majority"] == 5 / 8
    assert found["macro_f1_majority"] == pytest.approx((10 / 13) / 2)
    assert found["auroc_majority"] == 0.5
    assert found["brier_majority"] == pytest.approx(3 / 8 * 5 / 8)
    low = classification.binary(TRUTH, CHANCE, threshold=0.2)  # the baseline does not depend on the threshold
    assert low["accuracy"] == 5 / 8
    assert low["accuracy_majority"] == 5 / 8


def test_false_alarms_are_counted_among_rows_without_hate() -> None:
    found = classification.binary(
        [1, 0, 0, 0, 0], [0.9, 0.9, 0.1, 0.1, 0.1], shown=["hateful", "hateful", *["not_hateful"] * 3]
    )
    assert found["false_alarm_rate"] == 1 / 4
    assert found["shown_hateful_rate"] == 2 / 5


def test_rows_of_one_label_have_no_auroc() -> None:
    found = classification.binary([0, 0, 0], [0.1, 0.2, 0.9])
    assert "auroc" not in found
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert "false_alarm_rate" not in classification.binary([1, 1], [0.1, 0.9], shown=["not_hateful", "hateful"])


def test_intervals_hold_the_figure_shrink_with_rows_and_repeat() -> None:
    few, many = classification.binary(TRUTH * 10, CHANCE * 10), classification.binary(TRUTH * 100, CHANCE * 100)
    for name in ("accuracy", "auroc", "macro_f1", "weighted_f1", "brier"):
        assert few[f"{name}_low"] < few[name] < few[f"{name}_high"]
        assert many[f"{name}_high"] - many[f"{name}_low"] < few[f"{name}_high"] - few[f"{name}_low"]
    assert classification.binary(TRUTH * 10, CHANCE * 10) == few


def test_interval_of_a_share_is_the_binomial_one() -> None:
    truth = np.array([1] * 50 + [0] * 150)
    found = classification.binary(truth, np.full(200, 0.9))  # accuracy .25, standard error sqrt(.25 x .75 / 200)
    width = 2 * 1.96 * np.sqrt(0.25 * 0.75 / 200)
    assert found["accuracy_high"] - found["accuracy_low"] == pytest.approx(width, rel=0.1)


def test_one_of_several_classes_by_hand() -> None:
    chances = np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    found = classification.single_label(["a", "b", "b", "c"], chances, ["a", "b", "c"])
    assert found["accuracy"] == 3 / 4
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["brier"] == pytest.approx((0.06 + 0.78 + 0.14 + 0.24) / 4)
    assert found["ece"] == pytest.approx((0.2 + 0.5 + 0.3 + 0.4) / 4, abs=1e-6)
    assert found["auroc"] == pytest.approx(1)
    assert found["accuracy_majority"] == 2 / 4
    assert found["macro_f1_majority"] == pytest.approx((2 / 3) / 3)


def test_a_class_that_never_occurs_does_not_count() -> None:
    found = classification.single_label(["a", "b"], np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]), ["a", "b", "c"])
    assert found["macro_f1"] == 1
    assert found["auroc"] == 1


def test_several_labels_a_row_by_hand() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    chances = np.array([[0.6, 0.3], [0.3, 0.4], [0.1, 0.9], [0.2, 0.1]])
    found = classification.multi_label(truth, chances, [0.5, 0.35])
    assert found["accuracy"] == 3 / 4  # the second row misses one of its two
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["weighted_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["brier"] == pytest.approx((0.16 + 0.09 + 0.49 + 0.36 + 0.01 + 0.01 + 0.04 + 0.01) / 8)
    assert found["auroc"] == pytest.approx(1)
    assert found["macro_f1_majority"] == pytest.approx((4 / 6) / 2)  # the first label alone, for every row
