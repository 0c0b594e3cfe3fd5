"""The trained models whose evaluation files (`models/evaluation_files.py`) the Evaluation page shows.

Nothing here computes a prediction: metrics, predictions and curves are those of the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import evaluation_files, weights
from models.classifiers.multitask import titled

SHOWN_METRICS = ("macro_f1", "accuracy", "auroc", "weighted_f1", "brier", "ece")
INTERVAL_METRICS = ("macro_f1", "accuracy", "auroc")
_SINGLE_TASK = {"text_emotions": "text-emotions", "face_expressions": "face-expressions"}


@dataclass(frozen=True)
class Measurement:
    """A model's metrics on some rows of a task, as an entry of `metrics.json` has them."""

    model: str
    title: str
    task: str
    rows: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrainedModel:
    """A folder of `weights/` with metrics. `problem` is a sentence about files that are damaged and left out."""

    name: str
    title: str
    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def measurements(self, task: str | None = None) -> list[Measurement]:
        """The entries of `metrics.json` that have `rows` and a classifier's metrics; of one task, or of all."""
        every = [
            self._measurement(entry, metrics)
            for entry, metrics in self.metrics.items()
            if isinstance(metrics, dict) and "rows" in metrics and set(SHOWN_METRICS) & set(metrics)
        ]
        return [item for item in every if task in (None, item.task)]

    def ablations(self, task: str) -> list[tuple[str, Measurement]]:
        """Each ablation's name and metrics; before those on the same rows comes the whole model, as "the whole"."""
        whole = {item.rows: ("the whole", item) for item in self.measurements(task)}
        by_rows: dict[str, list[tuple[str, Measurement]]] = {}
        for ablation in self.evaluation.get("ablations") or []:
            for entry, metrics in ablation["figures"].items():
                if isinstance(metrics, dict) and "macro_f1" in metrics:
                    item = self._measurement(entry, metrics)
                    if item.task == task:
                        first = [whole[item.rows]] if item.rows in whole else []
                        by_rows.setdefault(item.rows, first).append((ablation["name"], item))
        return [pair for pairs in by_rows.values() for pair in pairs]

    @property
    def curves(self) -> list[list[dict[str, float]]]:
        """One list of epochs for each fold."""
        curves = self.evaluation.get("curves") or self.metrics.get("curves") or []
        return [curves] if curves and isinstance(curves[0], dict) else list(curves)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose predictions are described in `evaluation.json`."""
        return tuple(self.evaluation.get("parts", {}))

    def parts(self, task: str) -> tuple[str, ...]:
        """The tasks that a task of several heads consists of: its metrics name their questions as `macro_f1:QUESTION`."""
        questions = {
            name.partition(":")[2]
            for item in self.measurements(task)
            for name in item.metrics
            if name.startswith("macro_f1:")
        }
        described = self.evaluation.get("parts", {}).items()
        return tuple(
            name for name, head in described if {question["name"] for question in head["questions"]} < questions
        )

    def data(self, task: str) -> str:
        """The data set of the task's predictions: rows called `DATA, SPLIT` name it, other rows are of the model's own."""
        data, comma, _ = str(self.evaluation.get("parts", {}).get(task, {}).get("rows", "")).partition(", ")
        return data if comma else str(self.evaluation.get("data", "")).removesuffix("_polarity")

    def bands(self, task: str) -> tuple[float, float] | None:
        """The verdict's thresholds for "needs a human look" and "hateful"; None for other tasks."""
        if task != "hate":
            return None
        try:
            bands = evaluation_files.read_json(self.folder, "config.json")["bands"]
            return float(bands["review_from"]), float(bands["hateful_from"])
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def rows(self, task: str) -> tuple[str, ...]:
        """The names of the rows with predictions; validation rows, predicted by the shipped model, come first."""
        described = [self.evaluation.get(key, {}).get(task) for key in ("validation", "parts")]
        return tuple(str(head.get("rows", "")) for head in described if head)

    def _measurement(self, entry: str, metrics: dict[str, float]) -> Measurement:
        """Multitask models call an entry `TASK, ROWS`, the verdict `SPLIT, DATA`, models of a single task just `ROWS`."""
        first, _, rest = entry.partition(", ")
        task, rows = first, rest or "rows"
        if self.name == "hate_cross_attention":
            task, rows = ("harm" if rest.startswith("harmeme") else "hate"), f"{rest}, {first}"
        elif self.name in _SINGLE_TASK:
            task, rows = _SINGLE_TASK[self.name], entry
        return Measurement(self.name, self.title, task, rows, metrics)


def models() -> list[TrainedModel]:
    """All folders with metrics, by name."""
    return [model for model in _read() if model.problem or model.measurements()]


def _read() -> Iterator[TrainedModel]:
    for file in sorted(weights.root().glob(f"*/{evaluation_files.METRICS}")):
        folder, name = file.parent, file.parent.name
        try:
            metrics = evaluation_files.read_json(folder, evaluation_files.METRICS)
            evaluation = evaluation_files.read_evaluation(folder)
            title = titled(evaluation.get("title") or name.replace("_", " "), evaluation.get("measured_with", {}))
            yield TrainedModel(name, title, folder, metrics, evaluation)
        except (OSError, ValueError, AttributeError):
            yield TrainedModel(name, name, folder, problem=f"The figures in weights/{name} are damaged and left out.")
