"""Dreaddit (Turcan and McKeown 2019): stress in forum posts, and which of five domains of forums a post is from."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.datasets.dreaddit import DREADDIT
from training.tasks.base import HeadTask, unknown_label, yes_or_no

DOMAINS = ("abuse", "anxiety", "financial", "ptsd", "social")
STRESS = {0: "no_stress", 1: "stress"}


def stress_labels(row: Row) -> Sequence[str | None] | None:
    """The file has 0 and 1."""
    if row.label is None:
        return None
    if row.label not in STRESS:
        raise unknown_label(row, row.label, "stress", STRESS)
    return [STRESS[row.label]]  # type: ignore[index]  # a key, as was looked up


TASKS = (
    HeadTask(
        name="stress",
        title="Is a post written under stress",
        dataset=DREADDIT,
        columns=("stress",),
        model="mental_health_stress",
        kind="binary",
        targets=(yes_or_no("stress", "no_stress", "stress"),),
        labels=stress_labels,
    ),
    HeadTask(
        name="stress-domain",
        title="Which of five domains a post is from",
        dataset=DREADDIT,
        columns=("domain",),
        model="mental_health_domain",
        kind="single",
        targets=(Question("domain", DOMAINS),),
        labels=lambda row: [row.details["domain"]] if row.details.get("domain") else None,
    ),
)
