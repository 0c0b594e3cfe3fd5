"""HarMeme's `target` (Pramanick et al. 2021): whom a harmful meme is aimed at; nobody where it is not harmful."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.datasets.harmeme import HARMEME
from training.tasks.base import HeadTask

TARGETS = ("nobody", "individual", "organization", "community", "society")


def target_labels(row: Row) -> Sequence[str | None] | None:
    """Without a target: nobody where the row is labelled not harmful, unknown otherwise."""
    target = row.details.get("target")
    if isinstance(target, str) and target:
        return [target]
    return ["nobody"] if row.label == 0 else None


TASKS = (
    HeadTask(
        name="target",
        title="Whom a meme is aimed at",
        dataset=HARMEME,
        columns=("target",),
        model="mental_health_target",
        kind="single",
        targets=(Question("target", TARGETS),),
        labels=target_labels,
    ),
)
