"""Curves and tables of predictions for the Evaluation page. The app does without scikit-learn, so numpy computes them."""

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
    """How many positives and negatives lie at or above each distinct score, from the highest score on."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)  # equal scores have one threshold
    true = np.cumsum(target[order])[ends]
    return true, ends + 1 - true


@dataclass(frozen=True)
class Reliability:
    """For each bin that holds rows: their mean probability, the share of them that was true, and their number."""

    predicted: np.ndarray
    observed: np.ndarray
    rows: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error over these bins."""
        return float((np.abs(self.predicted - self.observed) * self.rows).sum() / max(1, self.rows.sum()))


def reliability(target: np.ndarray, prob: np.ndarray) -> Reliability:
    """`BINS` bins of equal width."""
    bin_index = np.minimum((prob * BINS).astype(int), BINS - 1)
    rows = np.bincount(bin_index)
    filled = rows > 0
    predicted, true = (np.bincount(bin_index, weights=values)[filled] / rows[filled] for values in (prob, target))
    return Reliability(predicted, true, rows[filled])


def confusion(target: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int [classes, classes]: rows are true classes, columns predicted ones."""
    return np.bincount(target * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def at_threshold(target: np.ndarray, prob: np.ndarray, low: float, high: float) -> dict[str, float | None]:
    """What two thresholds do: yes from `high` on, a person looks at what lies between them (`review`, a share of all rows).

    `precision` is None where nothing is answered yes, `recall` and `missed` (positives below `low`) where nothing is true.
    """
    yes, true = prob >= high, target == 1
    return {
        "precision": float(true[yes].mean()) if yes.any() else None,
        "recall": float(yes[true].mean()) if true.any() else None,
        "review": float(((prob >= low) & ~yes).mean()),
        "missed": float((prob[true] < low).mean()) if true.any() else None,
    }
