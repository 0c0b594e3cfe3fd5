"""All tasks that recipes can name, and the names under which `evaluate` asks for several at once."""

from __future__ import annotations

from models.errors import BadInput, suggest
from training.tasks import dreaddit, harmeme, memotion, mental_health
from training.tasks.base import Task

TASKS: dict[str, Task] = {
    task.name: task for module in (memotion, dreaddit, harmeme, mental_health) for task in module.TASKS
}
TOGETHER: dict[str, tuple[str, ...]] = {"memotion-intensity": memotion.INTENSITY}
EVALUATED = (
    "memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity", "stress", "stress-domain",
    "target", "axiom", "restore",
)  # fmt: skip

BEST: dict[str, str] = {
    "memotion-sentiment": "memotion_gmu",
    "memotion-types": "memotion_gmu",
    "memotion-intensity": "memotion_gmu",
    "memotion-polarity": "memotion_gmu",
    "stress": "mental_health_stress",
    "stress-domain": "mental_health_domain",
    "target": "mental_health_target",
    "axiom": "mental_health_axiom",
    "restore": "mental_health_restore",
}
"""The system that `evaluate` asks unless another is named: of those that ship, the best out of fold."""


def parts(name: str) -> tuple[Task, ...]:
    """The task of that name, or those that it stands for; `BadInput` with the nearest name."""
    names = TOGETHER.get(name, (name,))
    if names[0] not in TASKS:
        raise BadInput(f"There is no task {name!r}.{suggest(name, [*TASKS, *TOGETHER])}")
    return tuple(TASKS[one] for one in names)
