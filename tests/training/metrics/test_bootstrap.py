"""Every fast formula against the library's answer on the rows that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error

from training.metrics import bootstrap

ROWS = 60


@pytest.fixture(name="random")
def _random() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture(name="counts")
def _counts() -> np.ndarray:
    return next(bootstrap.resample_counts(ROWS, 5, seed=1))


def drawn(line: np.ndarray) -> np.ndarray:
    """Row numbers, each as often as it was drawn."""
    return np.repeat(np.arange(ROWS), line.astype(int))


def test_counts_are_resamples_of_all_rows_and_repeat_with_the_seed() -> None:
    pieces = list(bootstrap.resample_counts(ROWS, bootstrap.CHUNK_SIZE + 7, seed=1))
    assert [piece.shape for piece in pieces] == [(bootstrap.CHUNK_SIZE, ROWS), (7, ROWS)]
    assert (np.concatenate(pieces).sum(1) == ROWS).all()
    assert (pieces[0] == next(bootstrap.resample_counts(ROWS, bootstrap.CHUNK_SIZE + 7, seed=1))).all()
    assert (pieces[0] != next(bootstrap.resample_counts(ROWS, bootstrap.CHUNK_SIZE + 7, seed=2))).any()


def test_mean_over_all_rows_and_over_a_mask(counts: np.ndarray, random: np.random.Generator) -> None:
    values, mask = random.random(ROWS), random.random(ROWS) < 0.4
    for line, mean, masked_mean in zip(
        counts, bootstrap.mean(counts, values), bootstrap.mean(counts, values, mask), strict=True
    ):
        rows = drawn(line)
        assert mean == pytest.approx(values[rows].mean())
        assert masked_mean == pytest.approx(values[rows][mask[rows]].mean())
    assert np.isnan(bootstrap.mean(counts, values, np.zeros(ROWS, bool))).all()


def test_f1_of_several_labels_a_row(counts: np.ndarray, random: np.random.Generator) -> None:
    y_true, y_pred = (random.random((ROWS, 4)) < 0.3).astype(int), (random.random((ROWS, 4)) < 0.3).astype(int)
    y_true[:, 3] = y_pred[:, 3] = 0  # a label that never occurs
    scores = bootstrap.f1_scores(counts, y_true, y_pred, count_absent=True)
    for number, line in enumerate(counts):
        rows = drawn(line)
        for kind in ("macro", "weighted"):
            expected = f1_score(y_true[rows], y_pred[rows], average=kind, zero_division=0)
            assert scores[f"{kind}_f1"][number] == pytest.approx(expected)


def test_f1_of_one_label_a_row(counts: np.ndarray, random: np.random.Generator) -> None:
    y_true, y_pred = random.integers(0, 3, ROWS), random.integers(0, 3, ROWS)
    columns = np.eye(5, dtype=int)  # two labels that never occur are not counted
    scores = bootstrap.f1_scores(counts, columns[y_true], columns[y_pred], count_absent=False)
    for number, line in enumerate(counts):
        rows = drawn(line)
        for kind in ("macro", "weighted"):
            expected = f1_score(y_true[rows], y_pred[rows], average=kind, zero_division=0)
            assert scores[f"{kind}_f1"][number] == pytest.approx(expected)
        assert bootstrap.mean(counts, y_true == y_pred)[number] == pytest.approx(
            accuracy_score(y_true[rows], y_pred[rows])
        )


def test_calibration_error(counts: np.ndarray, random: np.random.Generator) -> None:
    confidence, correct = random.random(ROWS), random.integers(0, 2, ROWS)
    for line, value in zip(counts, bootstrap.ece(counts, confidence, correct, 15), strict=True):
        rows = torch.from_numpy(drawn(line))
        expected = binary_calibration_error(
            torch.from_numpy(confidence)[rows], torch.from_numpy(correct)[rows], n_bins=15
        )
        assert value == pytest.approx(expected.item(), abs=1e-6)
    doubled = bootstrap.ece(counts, np.stack([confidence, confidence], 1), np.stack([correct, correct], 1), 15)
    assert doubled == pytest.approx(bootstrap.ece(counts, confidence, correct, 15))


def test_auroc_with_ties(counts: np.ndarray, random: np.random.Generator) -> None:
    y_true, scores = random.integers(0, 2, ROWS), random.integers(0, 8, ROWS) / 8
    for line, value in zip(counts, bootstrap.auroc(counts, y_true, scores), strict=True):
        rows = drawn(line)
        assert value == pytest.approx(roc_auc_score(y_true[rows], scores[rows]))
    assert np.isnan(bootstrap.auroc(counts, np.zeros(ROWS, int), scores)).all()


def test_average_precision_with_ties(counts: np.ndarray, random: np.random.Generator) -> None:
    y_true, scores = random.integers(0, 2, ROWS), random.integers(0, 8, ROWS) / 8
    for line, value in zip(counts, bootstrap.average_precision(counts, y_true, scores), strict=True):
        rows = drawn(line)
        assert value == pytest.approx(average_precision_score(y_true[rows], scores[rows]))
    assert np.isnan(bootstrap.average_precision(counts, np.zeros(ROWS, int), scores)).all()


def test_resample_joins_the_chunks(random: np.random.Generator) -> None:
    values = random.random(ROWS)
    resampled = bootstrap.resample(lambda counts: {"mean": bootstrap.mean(counts, values)}, ROWS, resamples=120, seed=1)
    expected = [bootstrap.mean(counts, values) for counts in bootstrap.resample_counts(ROWS, 120, seed=1)]
    assert resampled["mean"].tolist() == np.concatenate(expected).tolist()
