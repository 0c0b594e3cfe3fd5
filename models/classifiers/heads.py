"""From logits to predictions: the four kinds of head, their calibration and their decision rules. No torch in here.

A head predicts one or more targets, each with exactly one class: `binary` one target of two classes from one logit,
`single` one target from a logit per class, `ordinal` one target whose classes have an order, from a logit per boundary
between neighbours (cumulative link, McCullagh 1980), `multi` a yes-or-no target per label, from a logit each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

Kind = Literal["binary", "single", "multi", "ordinal"]
KINDS: tuple[Kind, ...] = ("binary", "single", "multi", "ordinal")
MIN_PROB = 1e-6  # probabilities are clipped from below, so that their logarithm is finite


# In NumPy, because importing scipy.special would cost the `mini` profile 25 MB and half a second.
def sigmoid(logits: np.ndarray | float) -> np.ndarray:
    """1 / (1 + exp(-logits)) in float64, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64."""
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@dataclass(frozen=True)
class Target:
    """A target of a head with its classes (of yes or no: first no, then yes)."""

    name: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"the target {self.name!r} needs two different classes or more, not {self.classes}")


@dataclass(frozen=True)
class Rule:
    """How the probabilities of a target are calibrated and decided.

    Calibrated: softmax(scale * log p + bias), bias-corrected temperature scaling (Alexandari et al. 2020). Decided: the
    class with the largest log p + offset; for yes or no that is a threshold. Both are fitted on out-of-fold rows.
    """

    scale: float = 1.0
    bias: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()

    def calibrate(self, probs: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities (N, C) to calibrated ones (N, C)."""
        return softmax(self.scale * np.log(np.clip(probs, MIN_PROB, 1)) + np.asarray(self.bias or 0.0))

    def uncalibrate(self, calibrated: np.ndarray) -> np.ndarray:
        """The inverse of `calibrate`."""
        return softmax((np.log(np.clip(calibrated, MIN_PROB, 1)) - np.asarray(self.bias or 0.0)) / self.scale)

    def decide(self, calibrated: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, C) to class indices (N,)."""
        return (np.log(np.clip(calibrated, MIN_PROB, 1)) + np.asarray(self.offsets or 0.0)).argmax(1)

    def threshold(self) -> float:
        """For yes or no: the probability from which yes is predicted."""
        no, yes = self.offsets or (0.0, 0.0)
        return float(1 / (1 + np.exp(yes - no)))


@dataclass(frozen=True)
class Head:
    """`name` is its task; `rules` has one rule per target, or none where it is not calibrated."""

    name: str
    kind: Kind
    targets: tuple[Target, ...]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a head is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.kind != "multi" and len(self.targets) != 1:
            raise ValueError(f"a {self.kind} head predicts one target, not {len(self.targets)}")
        if self.kind in {"binary", "multi"} and any(len(target.classes) != 2 for target in self.targets):
            raise ValueError(f"the targets of a {self.kind} head have two classes each")
        if self.rules and len(self.rules) != len(self.targets):
            raise ValueError(f"{len(self.rules)} rules do not fit {len(self.targets)} targets")

    @property
    def logits(self) -> int:
        """How many logits it reads."""
        if self.kind == "single":
            return len(self.targets[0].classes)
        return len(self.targets[0].classes) - 1 if self.kind == "ordinal" else len(self.targets)

    def uncalibrated_probs(self, logits: np.ndarray) -> list[np.ndarray]:
        """Uncalibrated probabilities (N, C), one array per target, from logits (N, logits)."""
        if self.kind == "single":
            return [softmax(logits)]
        above = sigmoid(logits)
        if self.kind == "ordinal":  # P(y > k) falls with k; a crossing pair is put in order
            above = np.minimum.accumulate(above, axis=1)
            return [-np.diff(above, axis=1, prepend=1.0, append=0.0)]
        return [np.stack([1 - column, column], axis=1) for column in above.T]

    def probabilities(self, logits: np.ndarray) -> list[np.ndarray]:
        """Calibrated probabilities (N, C), one array per target. Logits (networks, N, logits) are averaged first."""
        uncalibrated = self.uncalibrated_probs(logits.mean(0) if logits.ndim == 3 else logits)
        if not self.rules:
            return uncalibrated
        return [rule.calibrate(probs) for rule, probs in zip(self.rules, uncalibrated, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """For a card, which calls the targets `questions`."""
        plain = asdict(self)
        return {"name": self.name, "kind": self.kind, "questions": plain["targets"], "rules": plain["rules"]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Head:
        """The inverse of `to_dict`."""
        return cls(
            data["name"],
            data["kind"],
            tuple(Target(item["name"], tuple(item["classes"])) for item in data["questions"]),
            tuple(Rule(item["scale"], tuple(item["bias"]), tuple(item["offsets"])) for item in data["rules"]),
        )


def columns(heads: Sequence[Head]) -> list[slice]:
    """The columns of each head in the network's logits."""
    ends = np.cumsum([0, *(head.logits for head in heads)]).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]
