"""What runs wrote beside their weights, read for the Evaluation page (the layout: `models/evaluation_files.py`).

Nothing here computes a model's answers: figures, predictions and curves are those of the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models import weights
from models.classifiers.heads import Head
from models.classifiers.multitask import titled

UNKNOWN = -1
ON_VALIDATION = "@validation"
FIGURES = ("macro_f1", "accuracy", "auroc", "weighted_f1", "brier", "ece")
TOGETHER = {"memotion-intensity": ("memotion-humour", "memotion-sarcasm", "memotion-offence", "memotion-motivation")}
"""Tasks that are several together: their figures stand by themselves, their predictions under the parts."""
KEPT_BY_EVALUATE = ("hate_cross_attention", "text_emotions", "face_expressions")  # systems keep theirs while fitted


@dataclass(frozen=True)
class Line:
    """One row of the table: a model's figures on some rows of some task."""

    model: str
    title: str
    task: str
    rows: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Predictions:
    """One task's answers on rows that were not learned from; entries of `raw` and `chances` (N, C) are questions."""

    head: Head
    rows: str
    target: np.ndarray
    given: np.ndarray
    raw: tuple[np.ndarray, ...]
    chances: tuple[np.ndarray, ...]
    place: np.ndarray
    part: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A folder of `weights/` that holds figures. What is damaged or missing is left out and told in `problem`."""

    name: str
    title: str
    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def lines(self) -> list[Line]:
        """All figures: an entry of `metrics.json` that has `rows`, named TASK, WHERE or just by what it was."""
        found = []
        for key, value in self.metrics.items():
            if not isinstance(value, dict) or "rows" not in value or not set(FIGURES) & set(value):
                continue
            task, where = _task(self.name, key)
            found.append(Line(self.name, self.title, task, where, value))
        return found

    @property
    def curves(self) -> list[list[dict[str, float]]]:
        """One list of epochs a fold."""
        held = self.evaluation.get("curves") or self.metrics.get("curves") or []
        return [held] if held and isinstance(held[0], dict) else list(held)

    @property
    def ablations(self) -> list[tuple[str, Line]]:
        """(what was left out, figures) of `evaluation.json`, each with the whole on the same rows before it, as "the whole"."""
        whole = {(line.task, line.rows): line for line in self.lines}
        found: dict[tuple[str, str], list[tuple[str, Line]]] = {}
        for one in self.evaluation.get("ablations") or []:
            for key, figures in one["figures"].items():
                if isinstance(figures, dict) and "macro_f1" in figures:
                    task, where = _task(self.name, key)
                    line = Line(self.name, self.title, task, where, figures)
                    found.setdefault((task, where), []).append((one["name"], line))
        return [
            pair
            for place, parts in found.items()
            for pair in ([("the whole", whole[place])] if place in whole else []) + parts
        ]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that predictions were kept of."""
        return tuple(self.evaluation.get("parts", {}))

    def data(self, task: str) -> str:
        """The data set that the task's predictions are of: rows named `DATA, PART` say it, other rows are the model's own."""
        data, comma, _ = str(self.evaluation.get("parts", {}).get(task, {}).get("rows", "")).partition(", ")
        return data if comma else str(self.evaluation.get("data", "")).removesuffix("_polarity")

    def bands(self, task: str) -> tuple[float, float] | None:
        """The verdict's own two thresholds, from which on it asks for a human look and says hateful; of other tasks None."""
        if task != "hate":
            return None
        try:
            bands = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))["bands"]
            return float(bands["review_from"]), float(bands["hateful_from"])
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def rows(self, task: str) -> tuple[str, ...]:
        """The sets of rows that predictions were kept of; validation rows, which what ships answered, come first."""
        held = [self.evaluation.get(where, {}).get(task) for where in ("validation", "parts")]
        return tuple(str(one.get("rows", "")) for one in held if one)

    def predictions(self, task: str, rows: str | None = None) -> Predictions | None:
        """On one of `rows(task)`, else the first of them. None where the file is missing, damaged, without this task, or made by
        weights that are not these."""
        also = self.evaluation.get("validation", {}).get(task)
        of_validation = also is not None and rows in (None, also.get("rows"))
        described = also if of_validation else self.evaluation.get("parts", {}).get(task)
        stored = task + ON_VALIDATION if of_validation else task
        try:
            made_by = self.evaluation.get("made_by", {}).get(task)
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
            if made_by is not None and made_by != weights.identity_of(config):
                return None
            head = Head.from_dict({"name": task, **described})
            with np.load(self.folder / "predictions.npz") as file:
                raw = tuple(file[f"{stored}:raw.{number}"].astype(float) for number in range(len(head.questions)))
                chances = tuple(rule.calibrate(part) for rule, part in zip(head.rules, raw, strict=True))
                return Predictions(
                    head, str(described["rows"]), file[f"{stored}:target"].astype(int), file[f"{stored}:given"].astype(int),
                    raw, chances, file[f"{stored}:row"].astype(int), file[f"{stored}:part"].astype(int),
                )  # fmt: skip
        except (OSError, KeyError, TypeError, ValueError):
            return None


def models() -> list[Trained]:
    """All folders with figures, by name."""
    return [trained for trained in _read() if trained.lines or trained.problem]


def _read() -> Iterator[Trained]:
    for file in sorted(weights.root().glob("*/metrics.json")):
        folder, name = file.parent, file.parent.name
        try:
            metrics = json.loads(file.read_text(encoding="utf-8"))
            described = folder / "evaluation.json"
            evaluation = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}
            title = titled(evaluation.get("title") or name.replace("_", " "), evaluation.get("measured_with", {}))
            yield Trained(name, title, folder, metrics, evaluation)
        except (OSError, ValueError, AttributeError):
            yield Trained(name, name, folder, problem=f"The figures in weights/{name} are damaged and left out.")


def _task(model: str, key: str) -> tuple[str, str]:
    """Which task and which rows an entry is about. Systems write `TASK, ROWS`; the verdict writes `HOW, SOURCE`."""
    first, _, rest = key.partition(", ")
    if model == "hate_cross_attention":
        return ("harm" if rest.startswith("harmeme") else "hate"), f"{rest}, {first}"
    if model in {"text_emotions", "face_expressions"}:
        return ("text-emotions" if model == "text_emotions" else "face-expressions"), key
    return first, rest or "rows"


def table(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """One dict a line with what the table shows; a figure that there is none of is None."""
    found = []
    for line in lines:
        row: dict[str, Any] = {
            "Task": line.task,
            "Model": line.title,
            "Measured on": line.rows,
            "Rows": line.figures["rows"],
        }
        for name in FIGURES:
            row[name] = line.figures.get(name)
            if name in {"macro_f1", "accuracy", "auroc"}:
                row[f"{name}_low"], row[f"{name}_high"] = (line.figures.get(f"{name}_{end}") for end in ("low", "high"))
                row[f"{name}_majority"] = line.figures.get(f"{name}_majority")
        row["Folder"] = line.model
        found.append(row)
    return found
