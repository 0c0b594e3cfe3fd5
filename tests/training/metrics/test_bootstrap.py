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
    return next(bootstrap.draws(ROWS, 5, seed=1))


def drawn(line: np.ndarray) -> np.ndarray:
    """Row numbers, each as often as it was drawn."""
    return np.repeat(np.arange(ROWS), line.astype(int))


def test_draws_are_resamples_of_all_rows_and_repeat_with_the_seed() -> None:
    pieces = list(bootstrap.draws(ROWS, bootstrap.CHUNK + 7, seed=1))
    assert [piece.shape for piece in pieces] == [(bootstrap.CHUNK, ROWS), (7, ROWS)]
    assert (np.concatenate(pieces).sum(1) == ROWS).all()
    assert (pieces[0] == next(bootstrap.draws(ROWS, bootstrap.CHUNK + 7, seed=1))).all()
    assert (pieces[0] != next(bootstrap.draws(ROWS, bootstrap.CHUNK + 7, seed=2))).any()


def test_mean_over_all_rows_and_over_some(counts: np.ndarray, random: np.random.Generator) -> None:
    values, among = random.random(ROWS), random.random(ROWS) < 0.4
    for line, whole, part in zip(
        counts, bootstrap.mean(counts, values), bootstrap.mean(counts, values, among), strict=True
    ):
        rows = drawn(line)
        assert whole == pytest.approx(values[rows].mean())
        assert part == pytest.approx(values[rows][among[rows]].mean())
    assert np.isnan(bootstrap.mean(counts, values, np.zeros(ROWS, bool))).all()


def test_f1_of_several_labels_a_row(counts: np.ndarray, random: np.random.Generator) -> None:
    truth, given = (random.random((ROWS, 4)) < 0.3).astype(int), (random.random((ROWS, 4)) < 0.3).astype(int)
    truth[:, 3] = given[:, 3] = 0  # a label that never occurs
    found = bootstrap.f1s(counts, truth, given, absent=True)
    for number, line in enumerate(counts):
        rows = drawn(line)
        for way in ("macro", "weighted"):
            expected = f1_score(truth[rows], given[rows], average=way, zero_division=0)
            assert found[f"{way}_f1"][number] == pytest.approx(expected)


def test_f1_of_one_label_a_row(counts: np.ndarray, random: np.random.Generator) -> None:
    truth, given = random.integers(0, 3, ROWS), random.integers(0, 3, ROWS)
    columns = np.eye(5, dtype=int)  # two labels that never occur are not counted
    found = bootstrap.f1s(counts, columns[truth], columns[given], absent=False)
    for number, line in enumerate(counts):
        rows = drawn(line)
        for way in ("macro", "weighted"):
            expected = f1_score(truth[rows], given[rows], average=way, zero_division=0)
            assert found[f"{way}_f1"][number] == pytest.approx(expected)
        assert bootstrap.mean(counts, truth == given)[number] == pytest.approx(accuracy_score(truth[rows], given[rows]))


def test_calibration_error(counts: np.ndarray, random: np.random.Generator) -> None:
    confidence, right = random.random(ROWS), random.integers(0, 2, ROWS)
    for line, found in zip(counts, bootstrap.ece(counts, confidence, right, 15), strict=True):
        rows = torch.from_numpy(drawn(line))
        expected = binary_calibration_error(
            torch.from_numpy(confidence)[rows], torch.from_numpy(right)[rows], n_bins=15
        )
        assert found == pytest.approx(expected.item(), abs=1e-6)
    both = bootstrap.ece(counts, np.stack([confidence, confidence], 1), np.stack([right, right], 1), 15)
    assert both == pytest.approx(bootstrap.ece(counts, confidence, right, 15))


def test_auroc_with_ties(counts: np.ndarray, random: np.random.Generator) -> None:
    truth, score = random.integers(0, 2, ROWS), random.integers(0, 8, ROWS) / 8
    for line, found in zip(counts, bootstrap.auroc(counts, truth, score), strict=True):
        rows = drawn(line)
        assert found == pytest.approx(roc_auc_score(truth[rows], score[rows]))
    assert np.isnan(bootstrap.auroc(counts, np.zeros(ROWS, int), score)).all()


def test_average_precision_with_ties(counts: np.ndarray, random: np.random.Generator) -> None:
    truth, score = random.integers(0, 2, ROWS), random.integers(0, 8, ROWS) / 8
    for line, found in zip(counts, bootstrap.average_precision(counts, truth, score), strict=True):
        rows = drawn(line)
        assert found == pytest.approx(average_precision_score(truth[rows], score[rows]))
    assert np.isnan(bootstrap.average_precision(counts, np.zeros(ROWS, int), score)).all()
