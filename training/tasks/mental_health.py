"""Mental-health memes: AxiOM (one anxiety category each) and RESTORE (any of the depression categories)."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.datasets.mental_health import AXIOM, RESTORE
from training.tasks.base import HeadTask, unknown_label, yes_or_no

ANXIETY = (
    "nervousness", "lack_of_worry_control", "excessive_worry", "difficulty_relaxing", "restlessness", "irritability",
    "impending_doom",
)  # fmt: skip
"""AxiOM's six anxiety symptoms and irritability, after the GAD-7 (Mazhar et al. 2025)."""
DEPRESSION = (
    "lack_of_interest", "feeling_down", "sleeping_disorder", "lack_of_energy", "eating_disorder", "low_self_esteem",
    "concentration_problem", "self_harm",
)  # fmt: skip
"""RESTORE's eight depression symptoms, after the PHQ-9 (Yadav et al. 2023)."""

MISSPELT = {"irritatbily": "irritability"}  # as AxiOM's rows have it


def class_name(name: object) -> str:
    """`Lack of Interest` and `lack-of-interest` are `lack_of_interest`."""
    joined = "_".join(str(name).replace("-", " ").replace("_", " ").lower().split())
    return MISSPELT.get(joined, joined)


def anxiety_labels(row: Row) -> Sequence[str | None] | None:
    """The one category."""
    return None if row.label is None else [class_name(row.label)]


def depression_labels(row: Row) -> Sequence[str | None] | None:
    """Yes or no for each category."""
    if row.label is None:
        return None
    names = [class_name(name) for name in (row.label if isinstance(row.label, tuple) else (row.label,))]
    unknown = [name for name in names if name not in DEPRESSION]
    if unknown:
        raise unknown_label(row, unknown[0], "depression", DEPRESSION)
    return [name if name in names else f"not_{name}" for name in DEPRESSION]


TASKS = (
    HeadTask(
        name="axiom",
        title="Which symptom of anxiety a meme shows",
        dataset=AXIOM,
        columns=("label",),
        model="mental_health_axiom",
        kind="single",
        targets=(Question("anxiety", ANXIETY),),
        labels=anxiety_labels,
    ),
    HeadTask(
        name="restore",
        title="Which symptoms of depression a meme shows",
        dataset=RESTORE,
        columns=("label",),
        model="mental_health_restore",
        kind="multi",
        targets=tuple(yes_or_no(name, f"not_{name}", name) for name in DEPRESSION),
        labels=depression_labels,
    ),
)
