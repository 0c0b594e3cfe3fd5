"""What a task declares, and what an evaluation of it returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from models.classifiers.heads import Head, Kind, Rule, Target
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from models.weights import Card
from training.datasets.base import Dataset, LoadResult, Row, require_columns, require_file
from training.tasks.languages import check_languages

OFFICIAL_SUFFIXES = (".json", ".jsonl", ".csv")  # of files in the layout of a data set's owners


@dataclass(frozen=True)
class EvalOptions:
    """How the rows are shown to the model: one modality only (`image` or `text`), captions `given` or read by `ocr`."""

    modality: Literal["image", "text"] | None = None
    captions: Literal["given", "ocr"] = "given"
    profile: str = "auto"


@dataclass
class EvalResult:
    """`predictions` are columns with one value a row of the file, in its order; `notes` count what was odd.

    `labelled` is the number of rows in the metrics, where that is not the number of rows with a label.
    """

    predictions: dict[str, list[Any]]
    metrics: dict[str, float] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    settings: dict[str, Any] = field(default_factory=dict)
    labelled: int | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every task declares.

    name: in `evaluate` and in configurations. title: a sentence for people. dataset: the data set whose rows it is trained
    and measured on. model: the folder of weights/ that answers it best. columns: what a Parquet file to evaluate must have.
    options: those of `evaluate` that it uses beside the ones of every task.
    """

    name: str
    title: str
    dataset: Dataset
    model: str
    columns: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def head_tasks(self) -> tuple[HeadTask, ...]:
        """The heads of a multitask model that answer it; none for what the app's own code answers."""
        return ()

    def read(self, path: str | Path, limit: int | None = None) -> LoadResult:
        """Rows of a Parquet file or of an official file, and a sentence for each row that cannot be used.

        Raises `BadInput` where the file, or a column that the task needs, is missing, or where a language is no code.
        """
        path = Path(path)
        require_file(path)
        if path.suffix in OFFICIAL_SUFFIXES and self.dataset.official_file:
            rows, problems = self.dataset.official_file(path)
            return rows[:limit], problems
        rows = self.dataset.read_parquet(path, limit=limit)
        require_columns(path, pq.read_schema(path).names, self.columns, self.name)
        check_languages(rows, path)
        return rows, []


@dataclass(frozen=True, kw_only=True)
class HeadTask(Task):
    """A task of one head of a multitask model; `evaluate` measures it by `metrics.classification.multi_target`.

    labels: the class name of a row for each target, None for a target that the row does not answer; None alone if it answers
    none. Where the words of the data set are not the class names, `labels` raises `unknown_label` for a word it does not know.
    """

    options: tuple[str, ...] = ("modality", "captions", "model")
    kind: Kind
    targets: tuple[Target, ...]
    labels: Callable[[Row], Sequence[str | None] | None]

    @property
    def head(self) -> Head:
        """The head before training, uncalibrated."""
        return Head(self.name, self.kind, self.targets)

    @property
    def head_tasks(self) -> tuple[HeadTask, ...]:
        """The task itself."""
        return (self,)

    def encode_row(self, row: Row) -> list[int]:
        """A class number for each target, UNKNOWN where there is none; `BadInput` for a label outside the set."""
        names = self.labels(row)
        if names is None:
            return [UNKNOWN] * len(self.targets)
        numbers = []
        for name, target in zip(names, self.targets, strict=True):
            if name is not None and name not in target.classes:
                raise unknown_label(row, name, target.name, target.classes)
            numbers.append(UNKNOWN if name is None else target.classes.index(name))
        return numbers

    def encode(self, rows: Sequence[Row]) -> tuple[np.ndarray, list[str]]:
        """int64 [rows, targets], and a sentence for each row whose label is outside the set (it counts as UNKNOWN)."""
        numbers, problems = np.full((len(rows), len(self.targets)), UNKNOWN), []
        for number, row in enumerate(rows):
            try:
                numbers[number] = self.encode_row(row)
            except BadInput as error:
                problems.append(str(error))
        return numbers, problems


@dataclass(frozen=True, kw_only=True)
class TaskGroup(Task):
    """Several heads of one multitask model that are measured together."""

    options: tuple[str, ...] = HeadTask.options
    members: tuple[HeadTask, ...]

    @property
    def head_tasks(self) -> tuple[HeadTask, ...]:
        """Its members."""
        return self.members


@dataclass(frozen=True, kw_only=True)
class AppTask(Task):
    """A task that the app's own code answers.

    predict: called with the rows, the options and the loaded model, or None to load the shipped one. head: the head by which
    the Evaluation page reads saved predictions; without it none are saved. read_rows: instead of the data set's reader.
    """

    predict: Callable[[Sequence[Row], EvalOptions, Any], EvalResult]
    head: Callable[[Card], Head] | None = None
    model_title: str = ""
    read_rows: Callable[[Path, int | None], LoadResult] | None = None

    def read(self, path: str | Path, limit: int | None = None) -> LoadResult:
        """As `Task.read`; an empty file is a `BadInput`."""
        rows, problems = self.read_rows(Path(path), limit) if self.read_rows else super().read(path, limit)
        if not rows:
            raise BadInput(f"{path} has no rows.")
        return rows, problems


def unknown_label(row: Row, label: object, target: str, known: Iterable[object]) -> BadInput:
    """The error for a label outside the set; `known` is what the data set's file may hold."""
    return BadInput(f"Row {row.id}: {label!r} is no answer to {target}, which knows {', '.join(map(str, known))}.")


def label_names(row: Row, known: Sequence[str]) -> tuple[str, ...]:
    """The one label of a row, or its several; `BadInput` for one that is not known."""
    names = row.label if isinstance(row.label, tuple) else (row.label,)
    for name in names:
        if name not in known:
            raise BadInput(f"Row {row.id} has the label {name!r}, which is none of {', '.join(known)}.")
    return names  # type: ignore[return-value]  # all of them are known


def threshold_rule(threshold: float, scale: float = 1.0, offset: float = 0.0) -> Rule:
    """Yes from `threshold` on, after Platt scaling sigmoid(scale * logit + offset): the offset is split between no and yes."""
    half = float(np.log(threshold / (1 - threshold))) / 2
    return Rule(scale, (-offset / 2, offset / 2), (half, -half))
