"""The page's curves against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from components.evaluate import curves, trained_models
from models.evaluation_files import read_predictions


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    target = rng.integers(2, size=400)
    return target, np.round(np.clip(0.5 * target + rng.normal(0.25, 0.3, 400), 0, 1), 2)  # with ties


def test_roc(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = curves.roc(*rows)
    assert np.trapezoid(y, x) == pytest.approx(metrics.roc_auc_score(*rows))
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_precision_recall(rows: tuple[np.ndarray, np.ndarray]) -> None:
    recall, precision = curves.precision_recall(*rows)
    wanted_precision, wanted_recall, _ = metrics.precision_recall_curve(*rows)
    assert np.allclose(np.sort(recall), np.sort(wanted_recall[:-1]))
    assert np.allclose(precision[-1], wanted_precision[0])


def test_reliability_adds_up(rows: tuple[np.ndarray, np.ndarray]) -> None:
    bins = curves.reliability(rows[0].astype(float), rows[1])
    assert bins.rows.sum() == 400
    assert (bins.observed * bins.rows).sum() == pytest.approx(rows[0].sum())
    perfect = curves.reliability(np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    assert perfect.ece == 0


def test_confusion(rows: tuple[np.ndarray, np.ndarray]) -> None:
    given = (rows[1] > 0.5).astype(int)
    assert (curves.confusion(rows[0], given, 2) == metrics.confusion_matrix(rows[0], given)).all()


def test_thresholds(rows: tuple[np.ndarray, np.ndarray]) -> None:
    target, chance = rows
    metrics_at = curves.at_threshold(target, chance, 0.3, 0.6)
    assert metrics_at["precision"] == pytest.approx(metrics.precision_score(target, chance >= 0.6))
    assert metrics_at["recall"] == pytest.approx(metrics.recall_score(target, chance >= 0.6))
    assert metrics_at["review"] == pytest.approx(((chance >= 0.3) & (chance < 0.6)).mean())
    assert curves.at_threshold(target, chance, 1.1, 1.1)["precision"] is None
    assert curves.at_threshold(np.zeros(4, int), np.ones(4), 0.5, 0.5)["recall"] is None


def test_the_page_s_calibration_error_is_that_of_the_figures() -> None:
    [verdict] = [model for model in trained_models.models() if model.name == "hate_cross_attention"]
    predictions = read_predictions(verdict.folder, "hate")
    assert predictions is not None
    [line] = [model for model in verdict.measurements() if model.rows == predictions.rows]
    bins = curves.reliability((predictions.y_true[:, 0] == 1).astype(float), predictions.probs[0][:, 1])
    assert bins.ece == pytest.approx(line.metrics["ece"], abs=1e-3)
