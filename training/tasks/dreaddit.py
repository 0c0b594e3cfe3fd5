"""Dreaddit (Turcan and McKeown 2019): stress in forum posts, and which of five domains of forums a post is from."""

from __future__ import annotations

from models.heads import Question
from training.tasks.task import Task, yes_or_no

DOMAINS = ("abuse", "anxiety", "financial", "ptsd", "social")
TASKS = (
    Task(
        "stress", "dreaddit", "binary", (yes_or_no("stress", "no_stress", "stress"),),
        lambda row: None if row.label is None else [{0: "no_stress", 1: "stress"}.get(row.label, str(row.label))],  # type: ignore[arg-type,call-overload]
        "Is a post written under stress",
    ),
    Task(
        "stress-domain", "dreaddit", "single", (Question("domain", DOMAINS),),
        lambda row: [row.details["domain"]] if row.details.get("domain") else None,
        "Which of five domains a post is from",
    ),
)  # fmt: skip
