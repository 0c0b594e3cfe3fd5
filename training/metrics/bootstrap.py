"""Metrics of many bootstrap resamples at once: a resample is how often each row was drawn.

Calling scikit-learn a thousand times on five thousand rows takes minutes; a product of the counts with what each row
adds takes a second. tests/training/metrics/test_bootstrap.py compares every function with the library on the drawn rows.
`counts` is always (R, N): R resamples of N rows, whole numbers as floats, each line adding up to N.
"""

from collections.abc import Callable, Iterator

import numpy as np

RESAMPLES = 1000
SEED = 0
CHUNK_SIZE = 50  # resamples in memory at once: 50 x 10,000 rows x 8 bytes are 4 MB

Statistics = Callable[[np.ndarray], dict[str, np.ndarray]]
"""(R, N) counts to (R,) values of each metric."""


def resample(
    statistics: Statistics, rows: int, *, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, np.ndarray]:
    """Each metric's (R,) values over `resamples` resamples of `rows` rows."""
    chunks = [statistics(counts) for counts in resample_counts(rows, resamples, seed)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def resample_counts(rows: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[np.ndarray]:
    """`resamples` lines of counts, in chunks of at most CHUNK_SIZE."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK_SIZE):
        drawn = rng.integers(rows, size=(min(CHUNK_SIZE, resamples - start), rows))
        yield np.stack([np.bincount(line, minlength=rows) for line in drawn]).astype(float)


def mean(counts: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """(R,) means of (N,) values over all rows, or over those in the mask (NaN where none of them was drawn)."""
    if mask is None:
        return counts @ values / counts.sum(1)
    with np.errstate(invalid="ignore"):
        return (counts @ (values * mask)) / (counts @ mask.astype(float))


def f1_scores(
    counts: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray, *, count_absent: bool
) -> dict[str, np.ndarray]:
    """Macro and weighted F1 of (N, C) labels and predictions 0/1.

    A label neither true nor predicted in a resample counts as 0 in the macro F1 with `count_absent`, else not at all:
    what scikit-learn does with several labels a row, and with one.
    """
    true, predicted = counts @ y_true.astype(float), counts @ y_pred.astype(float)  # (R, C)
    hits = counts @ (y_true * y_pred).astype(float)
    f1 = 2 * hits / np.maximum(true + predicted, 1e-9)  # counts may be weights here, and smaller than 1
    mask = np.ones_like(f1) if count_absent else true + predicted > 0
    weight = np.maximum(true.sum(1), 1)
    return {"macro_f1": (f1 * mask).sum(1) / mask.sum(1), "weighted_f1": (f1 * true).sum(1) / weight}


def ece(counts: np.ndarray, confidence: np.ndarray, correct: np.ndarray, bins: int) -> np.ndarray:
    """(R,) expected calibration errors of (N,) or (N, C) confidences 0-1 and whether each prediction was correct."""
    rows, columns = len(confidence), confidence.size // len(confidence)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1).reshape(rows, columns)
    gaps = np.zeros((rows, bins))
    np.add.at(gaps, (np.arange(rows)[:, None], bin_of), (confidence - correct).reshape(rows, columns))
    return np.abs(counts @ gaps).sum(1) / (counts.sum(1) * columns)


def auroc(counts: np.ndarray, y_true: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(R,) areas under the ROC curve of (N,) labels 0/1: how often a positive row scores above a negative one, ties half.

    NaN where a resample lacks one of the two.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)  # the first row of each run of equal scores
    drawn, true = counts[:, order], y_true[order]
    positive = np.add.reduceat(drawn * true, starts, axis=1)  # (R, runs)
    negative = np.add.reduceat(drawn * (1 - true), starts, axis=1)
    pairs = positive.sum(1) * negative.sum(1)
    with np.errstate(invalid="ignore"):
        return (positive * (negative.cumsum(1) - negative / 2)).sum(1) / pairs


def average_precision(counts: np.ndarray, y_true: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(R,) average precisions of (N,) labels 0/1: the precision at each distinct score, weighted by its positive rows.

    NaN where a resample has no positive row.
    """
    order = np.argsort(-scores, kind="stable")
    # the last row of each run of equal scores
    ends = np.append(np.flatnonzero(np.diff(scores[order]) != 0), len(scores) - 1)
    drawn, true = counts[:, order], y_true[order].astype(float)
    retrieved, hits = drawn.cumsum(1)[:, ends], (drawn * true).cumsum(1)[:, ends]  # (R, runs)
    gained = np.diff(hits, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore"):
        return (gained * hits / np.maximum(retrieved, 1)).sum(1) / hits[:, -1]
