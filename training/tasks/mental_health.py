"""Mental-health memes: AxiOM (one anxiety category each) and RESTORE (any of the depression categories)."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.tasks.base import Task, outside, yes_or_no

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


def plain(name: object) -> str:
    """`Lack of Interest` and `lack-of-interest` are `lack_of_interest`."""
    found = "_".join(str(name).replace("-", " ").replace("_", " ").lower().split())
    return MISSPELT.get(found, found)


def anxiety(row: Row) -> Sequence[str | None] | None:
    return None if row.label is None else [plain(row.label)]


def depression(row: Row) -> Sequence[str | None] | None:
    """A yes or no a category."""
    if row.label is None:
        return None
    names = [plain(name) for name in (row.label if isinstance(row.label, tuple) else (row.label,))]
    strange = [name for name in names if name not in DEPRESSION]
    if strange:
        raise outside(row, strange[0], "depression", DEPRESSION)
    return [name if name in names else f"not_{name}" for name in DEPRESSION]


TASKS = (
    Task("axiom", "axiom", "single", (Question("anxiety", ANXIETY),), anxiety, "Which symptom of anxiety a meme shows"),
    Task(
        "restore", "restore", "multi", tuple(yes_or_no(name, f"not_{name}", name) for name in DEPRESSION), depression,
        "Which symptoms of depression a meme shows",
    ),
)  # fmt: skip
