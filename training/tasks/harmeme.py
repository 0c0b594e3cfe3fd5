"""HarMeme's `target` (Pramanick et al. 2021): whom a harmful meme is aimed at; nobody where it is not harmful."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.tasks.base import Task

TARGETS = ("nobody", "individual", "organization", "community", "society")


def target(row: Row) -> Sequence[str | None] | None:
    """Without a target: nobody where the row is labelled not harmful, unknown else."""
    given = row.details.get("target")
    if isinstance(given, str) and given:
        return [given]
    return ["nobody"] if row.label == 0 else None


TASKS = (Task("target", "harmeme", "single", (Question("target", TARGETS),), target, "Whom a meme is aimed at"),)
