"""What the robustness study attacks: for each task its variants, their targets, and their light models for poisoning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from models.weights import Card
from training.robustness.flickr8k import Flickr8k
from training.robustness.hate import Hate
from training.robustness.oasis import Oasis
from training.robustness.samples import Sample
from training.robustness.targets import Settings, Target


class Task(Protocol):
    """A task of the study. `folder` of weights gets the figures; `score` says what sinks under attack, `what` when it has won."""

    folder: str
    what: str
    score: str
    drawn: str  # which rows are attacked
    variants: tuple[str, ...]

    def cards(self, variant: str) -> tuple[Card, ...]:
        """The weights that a variant stands on."""

    def targets(self, variant: str) -> list[Target]:
        """Rows to attack."""

    def samples(self, variant: str, shown: Sequence[Sample]) -> list[Target | None]:
        """The project's own sample memes to attack, None for one that is not answered right."""

    def poisoned(self, variant: str, share: float) -> dict[str, float]:
        """Figures of a model fitted anew while that share of its training rows is poisoned."""


TASKS: dict[str, Callable[[Path, Settings, Path], Task]] = {"flickr8k": Flickr8k, "oasis": Oasis, "hate": Hate}
