"""Dreaddit (Turcan and McKeown 2019): stress in forum posts, and which of five domains of forums a post is from."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.tasks.base import Task, outside, yes_or_no

DOMAINS = ("abuse", "anxiety", "financial", "ptsd", "social")
STRESS = {0: "no_stress", 1: "stress"}


def stress(row: Row) -> Sequence[str | None] | None:
    """The file has 0 and 1."""
    if row.label is None:
        return None
    if row.label not in STRESS:
        raise outside(row, row.label, "stress", STRESS)
    return [STRESS[row.label]]  # type: ignore[index]  # a key, as was looked up


TASKS = (
    Task(
        "stress", "dreaddit", "binary", (yes_or_no("stress", "no_stress", "stress"),),
        stress,
        "Is a post written under stress",
    ),
    Task(
        "stress-domain", "dreaddit", "single", (Question("domain", DOMAINS),),
        lambda row: [row.details["domain"]] if row.details.get("domain") else None,
        "Which of five domains a post is from",
    ),
)  # fmt: skip
