"""Curves and tables over predictions, with numpy alone: what the Evaluation page draws."""

from dataclasses import dataclass

import numpy as np

BINS = 15  # as in metrics.json, so that both tell the same error


def roc(target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates from the strictest threshold to the laxest, (0, 0) first; target 0/1."""
    true, false = _counts(target, score)
    return np.concatenate([[0], false / max(1, false[-1])]), np.concatenate([[0], true / max(1, true[-1])])


def precision_recall(target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision from the strictest threshold to the laxest."""
    true, false = _counts(target, score)
    return true / max(1, true[-1]), true / (true + false)


def _counts(target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many true and false ones lie at or above each distinct score, from the highest on."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)  # equal scores have one threshold
    true = np.cumsum(target[order])[ends]
    return true, ends + 1 - true


@dataclass(frozen=True)
class Reliability:
    """For each bin that holds rows: mean probability, share that was true, and how many."""

    predicted: np.ndarray
    observed: np.ndarray
    rows: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error over these bins."""
        return float((np.abs(self.predicted - self.observed) * self.rows).sum() / max(1, self.rows.sum()))


def reliability(target: np.ndarray, prob: np.ndarray, bins: int = BINS) -> Reliability:
    """Bins of equal width."""
    bin_index = np.minimum((prob * bins).astype(int), bins - 1)
    rows = np.bincount(bin_index, minlength=bins)
    filled = rows > 0
    predicted, true = (
        np.bincount(bin_index, weights=values, minlength=bins)[filled] / rows[filled] for values in (prob, target)
    )
    return Reliability(predicted, true, rows[filled])


def confusion(target: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Rows true, columns given."""
    return np.bincount(target * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def at_threshold(target: np.ndarray, prob: np.ndarray, low: float, high: float) -> dict[str, float | None]:
    """What two thresholds do, as shares of rows: yes from `high` on, a person looks at what lies between them (`review`).

    precision is None where nothing is said yes to, recall and missed where nothing is true.
    """
    yes, true = prob >= high, target == 1
    hits, positives = int((yes & true).sum()), int(true.sum())
    return {
        "precision": hits / int(yes.sum()) if yes.any() else None,
        "recall": hits / positives if positives else None,
        "review": float(((prob >= low) & ~yes).mean()),
        "missed": float(((prob < low) & true).sum() / positives) if positives else None,
    }
