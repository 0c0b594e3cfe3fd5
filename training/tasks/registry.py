"""All tasks that recipes can name, and the names under which `evaluate` asks for several at once."""

from __future__ import annotations

from models.errors import BadInput
from models.fusion.registry import near
from training.tasks import dreaddit, harmeme, memotion, mental_health
from training.tasks.task import Task

TASKS: dict[str, Task] = {
    task.name: task for module in (memotion, dreaddit, harmeme, mental_health) for task in module.TASKS
}
TOGETHER: dict[str, tuple[str, ...]] = {"memotion-intensity": memotion.INTENSITY}
EVALUATED = (
    "memotion-sentiment", "memotion-types", "memotion-intensity", "memotion-polarity", "stress", "stress-domain",
    "target", "axiom", "restore",
)  # fmt: skip


def parts(name: str) -> tuple[Task, ...]:
    """The task of that name, or those that it stands for; `BadInput` with the nearest name."""
    names = TOGETHER.get(name, (name,))
    if names[0] not in TASKS:
        raise BadInput(f"There is no task {name!r}.{near(name, [*TASKS, *TOGETHER])}")
    return tuple(TASKS[one] for one in names)
