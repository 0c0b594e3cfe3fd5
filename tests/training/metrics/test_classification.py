"""Figures against numbers worked out by hand, and what the intervals and baselines mean."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation_files import UNKNOWN
from training.metrics import classification
from training.metrics.classification import TargetPredictions

Y_TRUE = [1, 1, 1, 0, 0, 0, 0, 0]
PROBS = [0.9, 0.8, 0.3, 0.6, 0.2, 0.2, 0.1, 0.1]
VERDICTS = ["hateful", "hateful", "not_hateful", "needs_review", *["not_hateful"] * 4]


def test_yes_or_no_by_hand() -> None:
    metrics = classification.binary(Y_TRUE, PROBS, verdicts=VERDICTS)
    assert metrics["accuracy"] == 6 / 8
    assert metrics["auroc"] == pytest.approx(14 / 15)  # of 3 x 5 pairs only .3 against .6 is the wrong way round
    assert metrics["macro_f1"] == pytest.approx(
        (2 / 3 + 4 / 5) / 2
    )  # 2 of 3 found with one false; 4 of 5 with one missed
    assert metrics["weighted_f1"] == pytest.approx((3 * 2 / 3 + 5 * 4 / 5) / 8)
    assert metrics["brier"] == pytest.approx((0.01 + 0.04 + 0.49 + 0.36 + 0.04 + 0.04 + 0.01 + 0.01) / 8)
    assert metrics["ece"] == pytest.approx(
        (0.2 + 0.4 + 0.1 + 0.2 + 0.7 + 0.6) / 8, abs=1e-6
    )  # each value alone in its bin
    assert metrics["shown_hateful_rate"] == 2 / 8
    assert metrics["review_rate"] == 1 / 8
    assert metrics["false_alarm_rate"] == 0


def test_baseline_of_the_commonest_label() -> None:
    metrics = classification.binary(Y_TRUE, PROBS)
    assert metrics["accuracy_majority"] == 5 / 8
    assert metrics["macro_f1_majority"] == pytest.approx((10 / 13) / 2)
    assert metrics["auroc_majority"] == 0.5
    assert metrics["brier_majority"] == pytest.approx(3 / 8 * 5 / 8)
    low = classification.binary(Y_TRUE, PROBS, threshold=0.2)  # the baseline does not depend on the threshold
    assert low["accuracy"] == 5 / 8
    assert low["accuracy_majority"] == 5 / 8


def test_false_alarms_are_counted_among_rows_without_hate() -> None:
    metrics = classification.binary(
        [1, 0, 0, 0, 0], [0.9, 0.9, 0.1, 0.1, 0.1], verdicts=["hateful", "hateful", *["not_hateful"] * 3]
    )
    assert metrics["false_alarm_rate"] == 1 / 4
    assert metrics["shown_hateful_rate"] == 2 / 5


def test_rows_of_one_label_have_no_auroc() -> None:
    metrics = classification.binary([0, 0, 0], [0.1, 0.2, 0.9])
    assert "auroc" not in metrics
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert "false_alarm_rate" not in classification.binary([1, 1], [0.1, 0.9], verdicts=["not_hateful", "hateful"])


def test_intervals_hold_the_figure_shrink_with_rows_and_repeat() -> None:
    few, many = classification.binary(Y_TRUE * 10, PROBS * 10), classification.binary(Y_TRUE * 100, PROBS * 100)
    for name in ("accuracy", "auroc", "macro_f1", "weighted_f1", "brier"):
        assert few[f"{name}_low"] < few[name] < few[f"{name}_high"]
        assert many[f"{name}_high"] - many[f"{name}_low"] < few[f"{name}_high"] - few[f"{name}_low"]
    assert classification.binary(Y_TRUE * 10, PROBS * 10) == few


def test_interval_of_a_share_is_the_binomial_one() -> None:
    y_true = np.array([1] * 50 + [0] * 150)
    metrics = classification.binary(y_true, np.full(200, 0.9))  # accuracy .25, standard error sqrt(.25 x .75 / 200)
    width = 2 * 1.96 * np.sqrt(0.25 * 0.75 / 200)
    assert metrics["accuracy_high"] - metrics["accuracy_low"] == pytest.approx(width, rel=0.1)


def test_one_of_several_classes_by_hand() -> None:
    probs = np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    metrics = classification.single_label(["a", "b", "b", "c"], probs, ["a", "b", "c"])
    assert metrics["accuracy"] == 3 / 4
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert metrics["brier"] == pytest.approx((0.06 + 0.78 + 0.14 + 0.24) / 4)
    assert metrics["ece"] == pytest.approx((0.2 + 0.5 + 0.3 + 0.4) / 4, abs=1e-6)
    assert metrics["auroc"] == pytest.approx(1)
    assert metrics["accuracy_majority"] == 2 / 4
    assert metrics["macro_f1_majority"] == pytest.approx((2 / 3) / 3)


def test_a_class_that_never_occurs_does_not_count() -> None:
    metrics = classification.single_label(["a", "b"], np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]), ["a", "b", "c"])
    assert metrics["macro_f1"] == 1
    assert metrics["auroc"] == 1


def test_several_labels_a_row_by_hand() -> None:
    y_true = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    probs = np.array([[0.6, 0.3], [0.3, 0.4], [0.1, 0.9], [0.2, 0.1]])
    metrics = classification.multi_label(y_true, probs, [0.5, 0.35])
    assert metrics["accuracy"] == 3 / 4  # the second row misses one of its two
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics["weighted_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics["brier"] == pytest.approx((0.16 + 0.09 + 0.49 + 0.36 + 0.01 + 0.01 + 0.04 + 0.01) / 8)
    assert metrics["auroc"] == pytest.approx(1)
    assert metrics["macro_f1_majority"] == pytest.approx((4 / 6) / 2)  # the first label alone, for every row


def test_each_target_is_measured_on_the_rows_that_have_its_label() -> None:
    rng = np.random.default_rng(5)
    yes = rng.random((60, 2))
    y_true = (yes + rng.normal(scale=0.4, size=yes.shape) > 0.5).astype(int)
    y_true[:20, 0] = UNKNOWN
    first, second = (
        TargetPredictions(
            y_true[:, number], np.stack([1 - yes[:, number], yes[:, number]], 1), (yes[:, number] > 0.5).astype(int)
        )
        for number in range(2)
    )
    both = classification.multi_target_by_name({"a": first, "b": second}, "macro_f1{end}:{name}")
    known = TargetPredictions(*(values[20:] for values in first))
    own = [classification.multi_target([target]) for target in (known, second)]
    for name in ("macro_f1", "accuracy", "auroc", "brier", "ece", "macro_f1_majority"):
        assert both[name] == pytest.approx(np.mean([metrics[name] for metrics in own]))
    assert both["macro_f1:a"] == pytest.approx(own[0]["macro_f1"])
    assert both["macro_f1_low:a"] < both["macro_f1:a"] < both["macro_f1_high:a"]
