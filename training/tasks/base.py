"""What can be asked of a system: the questions, and what a data set's rows answer to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.classifiers.heads import Head, Kind, Question
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from training.datasets.base import Row


@dataclass(frozen=True)
class Task:
    """`answers` gives a class name a question, None for one that the row does not answer; None alone: not asked of it.

    Where a data set's own words are others than the classes, `answers` raises `outside` for a word that is none of them.

    `data` names the data set (`training/datasets/registry.py`); `label` tells what the classes mean.
    """

    name: str
    data: str
    kind: Kind
    questions: tuple[Question, ...]
    answers: Callable[[Row], Sequence[str | None] | None]
    label: str = ""

    @property
    def head(self) -> Head:
        """Uncalibrated, as it is before training."""
        return Head(self.name, self.kind, self.questions)

    def target(self, row: Row) -> list[int]:
        """A class number a question, UNKNOWN where there is none; `BadInput` for a label outside the set."""
        given = self.answers(row)
        if given is None:
            return [UNKNOWN] * len(self.questions)
        found = []
        for answer, question in zip(given, self.questions, strict=True):
            if answer is None:
                found.append(UNKNOWN)
            elif answer in question.classes:
                found.append(question.classes.index(answer))
            else:
                raise outside(row, answer, question.name, question.classes)
        return found

    def targets(self, rows: Sequence[Row]) -> tuple[np.ndarray, list[str]]:
        """int64 [rows, questions], and a sentence for each row whose label is outside the set (it counts as unknown)."""
        found, problems = np.full((len(rows), len(self.questions)), UNKNOWN), []
        for number, row in enumerate(rows):
            try:
                found[number] = self.target(row)
            except BadInput as error:
                problems.append(str(error))
        return found, problems


def outside(row: Row, given: object, asked: str, allowed: Iterable[object]) -> BadInput:
    """The sentence for a label outside the set; `allowed` is what the data set's file may hold."""
    return BadInput(f"Row {row.id}: {given!r} is no answer to {asked}, which knows {', '.join(map(str, allowed))}.")


def yes_or_no(name: str, no: str, yes: str) -> Question:
    """A question of two classes, the one that is looked for second."""
    return Question(name, (no, yes))
