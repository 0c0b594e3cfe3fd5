"""The files that training writes beside a model's weights and that pages, model cards and benchmarks read.

A folder `weights/<name>/` or `runs/<name>/` may hold, beside the weights and their card:

- `metrics.json`: {entry: metrics}. The entry says the task and the rows ("stress, validation"). The metrics are flat: `rows`,
  and for each metric `name`, `name_low`, `name_high` (95% interval) and `name_majority` (the majority baseline), which
  `MetricValue` reads. Entries that are not a dictionary are notes.
- `evaluation.json`: {"title", "summary", "data", "measured_with", "parts": {task: {"kind", "questions": [{"name",
  "classes"}], "rules": [{"scale", "bias", "offsets"}], "rows": the rows in `predictions.npz`}}, "curves": [[{"epoch",
  "loss", "validation_loss", ...}]: one list for each fold], "ablations": [{"name", "figures": {entry: metrics}}],
  "problems": sentences about rows that were left out, "made_by": {task: identity of the weights that predicted}, so that
  predictions of weights that were trained again since are not shown}. Where the rows of `parts` are training rows (out of
  fold, or held out), "validation" describes in the same way the predictions of the shipped model on validation rows.
- `predictions.npz`: arrays named `TASK:array`, of validation rows beside other rows `TASK@validation:array`. They hold no
  text and no picture of the data set: `target` int8 [rows, targets] (UNKNOWN where a row has no label), `given` int8 [rows,
  targets] (the predicted class), `raw.N` float16 [rows, classes] (uncalibrated probabilities of target N), `fold` int8
  [rows], `row` int32 [rows] (the row's number in its file), `part` int8 [rows] (0 train, 1 validation) and `key` uint64
  [rows] (see `row_key`). `learned:key` holds the keys of all rows that the model was trained on.
- `robustness.json`: what `python -m training robustness` measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import weights
from models.classifiers.heads import Head

METRICS, EVALUATION, ROBUSTNESS = "metrics.json", "evaluation.json", "robustness.json"
PREDICTIONS, LEARNED = "predictions.npz", "learned:key"
ARRAYS = {  # of `predictions.npz`, with the field of `PredictionSet` that each holds
    "target": ("y_true", np.int8),
    "given": ("y_pred", np.int8),
    "fold": ("fold", np.int8),
    "row": ("row", np.int32),
    "part": ("split", np.int8),
    "key": ("key", np.uint64),
}
UNKNOWN = -1  # the target of a row without a label
VALIDATION = "validation"  # the name of validation rows
ON_VALIDATION = "@validation"  # follows the task in the names of its arrays on validation rows


@dataclass(frozen=True)
class MetricValue:
    """A metric with its 95% interval and the majority baseline, each None where it was not measured."""

    value: float
    low: float | None = None
    high: float | None = None
    majority: float | None = None

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any], name: str) -> MetricValue | None:
        """The metric `name` of an entry of `metrics.json`; None where the entry lacks it."""
        if name not in metrics:
            return None
        return cls(metrics[name], *(metrics.get(f"{name}_{end}") for end in ("low", "high", "majority")))

    def interval(self, spec: str = ".3f") -> str:
        """`0.500–0.550`, or an en dash where there is no interval."""
        return "–" if self.low is None or self.high is None else f"{self.low:{spec}}–{self.high:{spec}}"


def metric_cell(metrics: Mapping[str, Any], name: str, spec: str = ".3f") -> str:
    """The text of a table cell, `0.530 (0.500–0.550)`; without an interval the value alone, without the metric an en dash."""
    metric = MetricValue.from_metrics(metrics, name)
    if metric is None:
        return "–"
    return f"{metric.value:{spec}}" + ("" if metric.low is None else f" ({metric.interval(spec)})")


@dataclass(frozen=True)
class PredictionSet:
    """Predictions of one task on rows that the model was not trained on.

    `rows` names the rows; `y_true` (UNKNOWN without a label) and `y_pred` are class numbers, int [rows, targets];
    `uncalibrated_probs` has float [rows, classes] for each target; the rest is int [rows] as in `predictions.npz`.
    """

    head: Head
    rows: str
    y_true: np.ndarray
    y_pred: np.ndarray
    uncalibrated_probs: Sequence[np.ndarray]
    row: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    key: np.ndarray

    @property
    def probs(self) -> list[np.ndarray]:
        """Calibrated probabilities, float [rows, classes] for each target."""
        return [rule.calibrate(probs) for rule, probs in zip(self.head.rules, self.uncalibrated_probs, strict=True)]

    def labelled(self, target: int) -> np.ndarray:
        """Which rows have a label for this target, bool [rows]."""
        return np.asarray(self.y_true[:, target] != UNKNOWN)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """One of the JSON files above, empty where there is none; `OSError` or `ValueError` where it is damaged."""
    file = folder / name
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds a {type(content).__name__}, not an object.")
    return content


def read_json_or_empty(folder: Path, name: str) -> dict[str, Any]:
    """As `read_json`, and empty where the file is damaged too."""
    try:
        return read_json(folder, name)
    except (OSError, ValueError):
        return {}


def read_evaluation(folder: Path) -> dict[str, Any]:
    """`evaluation.json`, as `read_json` reads it."""
    return read_json(folder, EVALUATION)


def update_evaluation(folder: Path, **changes: Any) -> None:
    """Set these keys of `evaluation.json`; the others stay as they are."""
    write_json(folder, EVALUATION, {**read_evaluation(folder), **changes})


def write_json(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """One of the JSON files above, in place of the one that was there."""
    text = json.dumps(dict(content), indent=1 if name == EVALUATION else 2, ensure_ascii=name != EVALUATION)
    (folder / name).write_text(text + "\n", encoding="utf-8")


def write_predictions(
    folder: Path,
    predictions: Sequence[PredictionSet],
    learned: np.ndarray,
    *,
    validation: Sequence[PredictionSet] = (),
    **described: Any,
) -> None:
    """Write `predictions.npz` and `evaluation.json` anew.

    learned: the keys of all rows that the model was trained on, uint64.
    validation: predictions of the shipped model on validation rows, beside `predictions` on training rows.
    described: the other keys of `evaluation.json`.
    """
    arrays = _arrays(predictions) | _arrays(validation, ON_VALIDATION) | {LEARNED: learned}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / PREDICTIONS, **arrays)  # type: ignore[arg-type]  # numpy's stub takes names for flags
    on_validation = {"validation": _parts(validation)} if validation else {}
    write_json(folder, EVALUATION, {**described, "parts": _parts(predictions), **on_validation})


def add_predictions(folder: Path, predictions: Sequence[PredictionSet], **described: Any) -> None:
    """Add to both files, or replace, the predictions of these tasks; other tasks stay as they are."""
    tasks = {item.head.name for item in predictions}
    arrays = {name: array for name, array in _load(folder).items() if name.split(":")[0] not in tasks}
    np.savez_compressed(folder / PREDICTIONS, **arrays, **_arrays(predictions))  # type: ignore[arg-type]
    parts = {**read_evaluation(folder).get("parts", {}), **_parts(predictions)}
    update_evaluation(folder, **described, parts=parts)


def read_predictions(folder: Path, task: str, rows: str | None = None) -> PredictionSet | None:
    """The predictions of a task on the rows of this name, by default on validation rows where the folder has both.

    None where the files are missing, damaged or without this task, or where other weights made the predictions.
    """
    try:
        evaluation = read_evaluation(folder)
        made_by = evaluation.get("made_by", {}).get(task)
        if made_by is not None and made_by != weights.identity_of(read_json(folder, "config.json")):
            return None
        on_validation = evaluation.get("validation", {}).get(task)
        shipped = on_validation is not None and rows in (None, on_validation.get("rows"))
        described = on_validation if shipped else evaluation["parts"][task]
        prefix = f"{task}{ON_VALIDATION if shipped else ''}:"
        head = Head.from_dict({"name": task, **described})
        with np.load(folder / PREDICTIONS) as file:
            arrays = {
                field: file[prefix + name].astype(np.uint64 if name == "key" else int)
                for name, (field, _) in ARRAYS.items()
            }
            probs = [file[f"{prefix}raw.{number}"].astype(float) for number in range(len(head.targets))]
        return PredictionSet(head, str(described["rows"]), uncalibrated_probs=probs, **arrays)
    except (OSError, KeyError, TypeError, ValueError):
        return None


def learned_keys(folder: Path) -> np.ndarray:
    """The keys of all rows that the model in this folder was trained on, empty where the folder does not say."""
    return _load(folder).get(LEARNED, np.zeros(0, np.uint64))


def row_key(text: str | None, image: bytes | None) -> int:
    """64 bits by which a row is recognised as one of the training rows; they reveal nothing else about it."""
    digest = hashlib.sha256((text or "").strip().encode() + b"\0" + (image or b"")).digest()
    return int.from_bytes(digest[:8], "big")


def _load(folder: Path) -> dict[str, np.ndarray]:
    if not (folder / PREDICTIONS).is_file():
        return {}
    with np.load(folder / PREDICTIONS) as file:
        return dict(file)


def _arrays(predictions: Sequence[PredictionSet], suffix: str = "") -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for item in predictions:
        prefix = f"{item.head.name}{suffix}:"
        arrays |= {f"{prefix}raw.{n}": probs.astype(np.float16) for n, probs in enumerate(item.uncalibrated_probs)}
        arrays |= {f"{prefix}{name}": getattr(item, field).astype(dtype) for name, (field, dtype) in ARRAYS.items()}
    return arrays


def _parts(predictions: Sequence[PredictionSet]) -> dict[str, Any]:
    heads = {item.head.name: {"rows": item.rows, **item.head.to_dict()} for item in predictions}
    for head in heads.values():
        del head["name"]
    return heads
