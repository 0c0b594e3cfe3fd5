"""From logits to answers: the four kinds of head, their calibration and their decisions. No torch in here.

A head answers one or more questions, each with exactly one of its classes: `binary` one question of two classes from one
logit, `single` one question from a logit a class, `ordinal` one question whose classes have an order, from a logit a
boundary between neighbours (cumulative link, McCullagh 1980), `multi` a yes-or-no question a label, from a logit each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

Kind = Literal["binary", "single", "multi", "ordinal"]
KINDS: tuple[Kind, ...] = ("binary", "single", "multi", "ordinal")
SMALLEST = 1e-6  # probabilities are kept off 0, whose logarithm is not a number


@dataclass(frozen=True)
class Question:
    """What is asked, and the classes of which one is the answer (of yes or no: first no, then yes)."""

    name: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"the question {self.name!r} needs two different classes or more, not {self.classes}")


@dataclass(frozen=True)
class Rule:
    """How a question's probabilities are calibrated and decided.

    Calibrated: softmax(scale * log p + bias), bias-corrected temperature scaling (Alexandari et al. 2020). Decided: the
    class with the largest log p + offset; for yes or no that is a threshold. Both come from out-of-fold rows.
    """

    scale: float = 1.0
    bias: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()

    def calibrate(self, raw: np.ndarray) -> np.ndarray:
        """(N, C) to (N, C)."""
        logs = self.scale * np.log(np.clip(raw, SMALLEST, 1)) + np.asarray(self.bias or 0.0)
        return softmax(logs)

    def before(self, calibrated: np.ndarray) -> np.ndarray:
        """The inverse of `calibrate`."""
        logs = (np.log(np.clip(calibrated, SMALLEST, 1)) - np.asarray(self.bias or 0.0)) / self.scale
        return softmax(logs)

    def decide(self, calibrated: np.ndarray) -> np.ndarray:
        """(N, C) to (N,) class numbers."""
        found: np.ndarray = (np.log(np.clip(calibrated, SMALLEST, 1)) + np.asarray(self.offsets or 0.0)).argmax(1)
        return found

    def threshold(self) -> float:
        """For yes or no: the probability from which the answer is yes."""
        no, yes = self.offsets or (0.0, 0.0)
        return float(1 / (1 + np.exp(yes - no)))


@dataclass(frozen=True)
class Head:
    """`name` is the task that it answers; `rules` one a question."""

    name: str
    kind: Kind
    questions: tuple[Question, ...]
    rules: tuple[Rule, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a head is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.kind != "multi" and len(self.questions) != 1:
            raise ValueError(f"a {self.kind} head answers one question, not {len(self.questions)}")
        if self.kind in {"binary", "multi"} and any(len(question.classes) != 2 for question in self.questions):
            raise ValueError(f"the questions of a {self.kind} head have two classes each")
        if self.rules and len(self.rules) != len(self.questions):
            raise ValueError(f"{len(self.rules)} rules do not fit {len(self.questions)} questions")

    @property
    def logits(self) -> int:
        """How many logits it reads."""
        if self.kind == "single":
            return len(self.questions[0].classes)
        return len(self.questions[0].classes) - 1 if self.kind == "ordinal" else len(self.questions)

    def raw(self, logits: np.ndarray) -> list[np.ndarray]:
        """Uncalibrated probabilities (N, C), one array a question, from (N, logits)."""
        if self.kind == "single":
            return [softmax(logits)]
        above = sigmoid(logits)
        if self.kind == "ordinal":  # P(y > k) falls with k; a crossing pair is put in order
            above = np.minimum.accumulate(above, axis=1)
            ends = np.ones((len(above), 1)), np.zeros((len(above), 1))
            return [-np.diff(np.concatenate([ends[0], above, ends[1]], axis=1), axis=1)]
        return [np.stack([1 - column, column], axis=1) for column in above.T]

    def probabilities(self, logits: np.ndarray) -> list[np.ndarray]:
        """Calibrated probabilities (N, C), one array a question. Logits (networks, N, logits) are averaged first."""
        mean = logits.mean(0) if logits.ndim == 3 else logits
        raw = self.raw(mean)
        return [rule.calibrate(one) for rule, one in zip(self.rules, raw, strict=True)] if self.rules else raw

    def to_dict(self) -> dict[str, Any]:
        """For a card."""
        rules = [{"scale": r.scale, "bias": list(r.bias), "offsets": list(r.offsets)} for r in self.rules]
        asked = [{"name": question.name, "classes": list(question.classes)} for question in self.questions]
        return {"name": self.name, "kind": self.kind, "questions": asked, "rules": rules}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Head:
        """The inverse of `to_dict`."""
        return cls(
            data["name"],
            data["kind"],
            tuple(Question(one["name"], tuple(one["classes"])) for one in data["questions"]),
            tuple(Rule(one["scale"], tuple(one["bias"]), tuple(one["offsets"])) for one in data["rules"]),
        )


def columns(heads: Sequence[Head]) -> list[slice]:
    """Where each head's logits lie in the network's answer."""
    ends = np.cumsum([0, *(head.logits for head in heads)]).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logits)) without overflow."""
    found: np.ndarray = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    logits = np.asarray(logits, np.float64)
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    found: np.ndarray = raised / raised.sum(-1, keepdims=True)
    return found
