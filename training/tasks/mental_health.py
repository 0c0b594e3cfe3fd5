"""What memes and posts say of mental health: stress (Dreaddit), anxiety (AxiOM), depression (RESTORE), and whom a meme harms.

- Dreaddit (Turcan and McKeown 2019): stress in forum posts, and which of five domains of forums a post is from.
- AxiOM: one anxiety category each. RESTORE: any of the depression categories.
- HarMeme's `target` (Pramanick et al. 2021): whom a harmful meme is aimed at; nobody where it is not harmful.
"""

from collections.abc import Sequence

from models.classifiers.heads import Target
from training.datasets.base import Row
from training.datasets.dreaddit import DREADDIT
from training.datasets.harmeme import HARMEME
from training.datasets.mental_health import AXIOM, RESTORE
from training.tasks.base import HeadTask, unknown_label

STRESS = {0: "no_stress", 1: "stress"}
DOMAINS = ("abuse", "anxiety", "financial", "ptsd", "social")
TARGETS = ("nobody", "individual", "organization", "community", "society")
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


def stress_labels(row: Row) -> Sequence[str | None] | None:
    """The file has 0 and 1."""
    if row.label is None:
        return None
    if row.label not in STRESS:
        raise unknown_label(row, row.label, "stress", STRESS)
    return [STRESS[row.label]]  # type: ignore[index]  # a key, as was looked up


def depression_labels(row: Row) -> Sequence[str | None] | None:
    """Yes or no for each category."""
    if row.label is None:
        return None
    names = [class_name(name) for name in (row.label if isinstance(row.label, tuple) else (row.label,))]
    unknown = [name for name in names if name not in DEPRESSION]
    if unknown:
        raise unknown_label(row, unknown[0], "depression", DEPRESSION)
    return [name if name in names else f"not_{name}" for name in DEPRESSION]


def target_labels(row: Row) -> Sequence[str | None] | None:
    """Without a target: nobody where the row is labelled not harmful, unknown otherwise."""
    target = row.details.get("target")
    if isinstance(target, str) and target:
        return [target]
    return ["nobody"] if row.label == 0 else None


TASKS = (
    HeadTask(
        name="stress",
        title="Is a post written under stress",
        dataset=DREADDIT,
        columns=("stress",),
        model="mental_health_stress",
        kind="binary",
        targets=(Target("stress", ("no_stress", "stress")),),
        labels=stress_labels,
    ),
    HeadTask(
        name="stress-domain",
        title="Which of five domains a post is from",
        dataset=DREADDIT,
        columns=("domain",),
        model="mental_health_domain",
        kind="single",
        targets=(Target("domain", DOMAINS),),
        labels=lambda row: [row.details["domain"]] if row.details.get("domain") else None,
    ),
    HeadTask(
        name="axiom",
        title="Which symptom of anxiety a meme shows",
        dataset=AXIOM,
        columns=("label",),
        model="mental_health_axiom",
        kind="single",
        targets=(Target("anxiety", ANXIETY),),
        labels=lambda row: None if row.label is None else [class_name(row.label)],
    ),
    HeadTask(
        name="restore",
        title="Which symptoms of depression a meme shows",
        dataset=RESTORE,
        columns=("label",),
        model="mental_health_restore",
        kind="multi",
        targets=tuple(Target(name, (f"not_{name}", name)) for name in DEPRESSION),
        labels=depression_labels,
    ),
    HeadTask(
        name="target",
        title="Whom a meme is aimed at",
        dataset=HARMEME,
        columns=("target",),
        model="mental_health_target",
        kind="single",
        targets=(Target("target", TARGETS),),
        labels=target_labels,
    ),
)
