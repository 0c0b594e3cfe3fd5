"""The figures of many bootstrap resamples at once: a resample is how often each row was drawn.

Calling scikit-learn a thousand times on five thousand rows takes minutes; a product of the counts with what each row
adds takes a second. tests/training/metrics/test_bootstrap.py holds every function to the library's answer on the drawn rows.
`counts` is always (R, N): R resamples of N rows, whole numbers as floats, each line adding up to N.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CHUNK = 50  # resamples held at once: 50 x 10,000 rows x 8 bytes are 4 MB


def draws(rows: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """`resamples` lines of counts, in pieces of at most CHUNK."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        picked = random.integers(rows, size=(min(CHUNK, resamples - start), rows))
        yield np.stack([np.bincount(line, minlength=rows) for line in picked]).astype(float)


def mean(counts: np.ndarray, values: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """(R,) means of (N,) values over all rows, or over those where `among` holds (NaN where none was drawn)."""
    if among is None:
        return counts @ values / counts.sum(1)
    with np.errstate(invalid="ignore"):
        return (counts @ (values * among)) / (counts @ among.astype(float))


def f1s(counts: np.ndarray, truth: np.ndarray, given: np.ndarray, *, absent: bool) -> dict[str, np.ndarray]:
    """macro and weighted F1 of (N, C) truths and answers 0/1.

    A label neither true nor given in a resample counts as 0 in the plain mean where `absent`, else not at all: what
    scikit-learn does with several labels a row, and with one.
    """
    true, told = counts @ truth.astype(float), counts @ given.astype(float)  # (R, C)
    both = counts @ (truth * given).astype(float)
    f1 = 2 * both / np.maximum(true + told, 1)
    seen = np.ones_like(f1) if absent else true + told > 0
    weight = np.maximum(true.sum(1), 1)
    return {"macro_f1": (f1 * seen).sum(1) / seen.sum(1), "weighted_f1": (f1 * true).sum(1) / weight}


def ece(counts: np.ndarray, confidence: np.ndarray, right: np.ndarray, bins: int) -> np.ndarray:
    """(R,) expected calibration errors of (N,) or (N, C) confidences 0-1 and whether each answer was right."""
    rows, answers = len(confidence), confidence.size // len(confidence)
    place = np.minimum((confidence * bins).astype(int), bins - 1).reshape(rows, answers)
    gaps = np.zeros((rows, bins))
    np.add.at(gaps, (np.arange(rows)[:, None], place), (confidence - right).reshape(rows, answers))
    return np.abs(counts @ gaps).sum(1) / (counts.sum(1) * answers)


def auroc(counts: np.ndarray, truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(R,) areas under the ROC curve: how often a true row lies above a false one, ties half; NaN without both."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)  # the first row of each run of equal scores
    drawn, true = counts[:, order], truth[order]
    above = np.add.reduceat(drawn * true, starts, axis=1)  # (R, runs)
    below = np.add.reduceat(drawn * (1 - true), starts, axis=1)
    pairs = above.sum(1) * below.sum(1)
    with np.errstate(invalid="ignore"):
        return (above * (below.cumsum(1) - below / 2)).sum(1) / pairs


def average_precision(counts: np.ndarray, truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(R,) average precisions: the precision at each distinct score, weighted by the true rows there; NaN without any."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(
        np.flatnonzero(np.diff(score[order]) != 0), len(score) - 1
    )  # the last row of each run of equal scores
    drawn, true = counts[:, order], truth[order].astype(float)
    above, found = drawn.cumsum(1)[:, ends], (drawn * true).cumsum(1)[:, ends]  # (R, runs)
    gained = np.diff(found, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore"):
        return (gained * found / np.maximum(above, 1)).sum(1) / found[:, -1]
