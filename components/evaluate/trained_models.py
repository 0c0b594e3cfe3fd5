"""The trained models whose evaluation files (`models/evaluation_files.py`) the Evaluation page shows.

Nothing here computes a prediction: metrics, predictions and curves are those of the files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import evaluation_files, weights
from models.classifiers.multitask import titled

SHOWN_METRICS = ("macro_f1", "accuracy", "auroc", "weighted_f1", "brier", "ece")
INTERVAL_METRICS = ("macro_f1", "accuracy", "auroc")
VERDICT = "hate_cross_attention"  # the folder of the verdict's model
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
        return list(self._measured(self.metrics, task))

    def ablations(self, task: str) -> list[tuple[str, Measurement]]:
        """Each ablation's name and metrics; before those on the same rows comes the whole model, as "the whole"."""
        whole = {item.rows: ("the whole", item) for item in self.measurements(task)}
        by_rows: dict[str, list[tuple[str, Measurement]]] = {}
        for ablation in self.evaluation.get("ablations") or []:
            for item in self._measured(ablation["figures"], task):
                first = [whole[item.rows]] if item.rows in whole else []
                by_rows.setdefault(item.rows, first).append((ablation["name"], item))
        return [pair for pairs in by_rows.values() for pair in pairs]

    @property
    def curves(self) -> list[list[dict[str, float]]]:
        """The learning curves: one list of epochs for each fold."""
        curves = self.evaluation.get("curves") or self.metrics.get("curves") or []
        return [curves] if curves and isinstance(curves[0], dict) else list(curves)

    @property
    def heads(self) -> dict[str, dict[str, Any]]:
        """By task the heads whose predictions are described in `evaluation.json`."""
        return dict(self.evaluation.get("parts", {}))

    def parts(self, task: str) -> tuple[str, ...]:
        """The tasks that a task of several heads consists of: its metrics name their questions as `macro_f1:QUESTION`."""
        metrics = {name for item in self.measurements(task) for name in item.metrics if name.startswith("macro_f1:")}
        return tuple(
            name
            for name, head in self.heads.items()
            if {f"macro_f1:{question['name']}" for question in head["questions"]} < metrics
        )

    def data(self, task: str) -> str:
        """The data set of the task's predictions: rows called `DATA, SPLIT` name it, other rows are of the model's own."""
        data, comma, _ = str(self.heads.get(task, {}).get("rows", "")).partition(", ")
        return data if comma else str(self.evaluation.get("data", "")).removesuffix("_polarity")

    def bands(self, task: str) -> tuple[float, float] | None:
        """The verdict's thresholds for "needs a human look" and "hateful"; None for other tasks."""
        bands = evaluation_files.read_json_or_empty(self.folder, "config.json").get("bands") if task == "hate" else None
        return bands and (float(bands["review_from"]), float(bands["hateful_from"]))

    def rows(self, task: str) -> tuple[str, ...]:
        """The names of the rows with predictions; validation rows, predicted by the shipped model, come first."""
        described = [self.evaluation.get(key, {}).get(task) for key in ("validation", "parts")]
        return tuple(str(head.get("rows", "")) for head in described if head)

    def _measured(self, entries: dict[str, Any], wanted_task: str | None) -> Iterator[Measurement]:
        """Multitask models call an entry `TASK, ROWS`, the verdict `SPLIT, DATA`, models of a single task just `ROWS`."""
        for entry, metrics in entries.items():
            if not isinstance(metrics, dict) or "rows" not in metrics or not set(SHOWN_METRICS) & set(metrics):
                continue
            first, _, rest = entry.partition(", ")
            task, rows = first, rest or "rows"
            if self.name == VERDICT:
                task, rows = ("harm" if rest.startswith("harmeme") else "hate"), f"{rest}, {first}"
            elif self.name in _SINGLE_TASK:
                task, rows = _SINGLE_TASK[self.name], entry
            if wanted_task in (None, task):
                yield Measurement(self.name, self.title, task, rows, metrics)


def models() -> list[TrainedModel]:
    """All folders with metrics, by name."""
    trained = []
    for file in sorted(weights.root().glob(f"*/{evaluation_files.METRICS}")):
        folder, name = file.parent, file.parent.name
        try:
            metrics = evaluation_files.read_json(folder, evaluation_files.METRICS)
            evaluation = evaluation_files.read_evaluation(folder)
            title = titled(evaluation.get("title") or name.replace("_", " "), evaluation.get("measured_with", {}))
            model = TrainedModel(name, title, folder, metrics, evaluation)
        except (OSError, ValueError, AttributeError):
            model = TrainedModel(name, name, folder, problem=f"The figures in weights/{name} are damaged and left out.")
        if model.problem or model.measurements():
            trained.append(model)
    return trained
