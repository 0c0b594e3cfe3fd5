"""All tasks by name, collected from the `TASKS` of each module in this package. A new task is one file here."""

import pkgutil
from importlib import import_module

from models.errors import BadInput, suggest
from training import tasks
from training.tasks.base import HeadTask, Task


def collect() -> dict[str, Task]:
    """The tasks that `evaluate` can measure, by name."""
    modules = [import_module(f"{tasks.__name__}.{module.name}") for module in pkgutil.iter_modules(tasks.__path__)
               if module.name != "registry"]  # fmt: skip
    return {task.name: task for module in modules for task in getattr(module, "TASKS", ())}


TASKS: dict[str, Task] = collect()


def head_tasks_by_name() -> dict[str, tuple[HeadTask, ...]]:
    """All tasks that heads of multitask models answer, and each head of a group by its own name."""
    named: dict[str, tuple[HeadTask, ...]] = {}
    for task in TASKS.values():
        if task.head_tasks:
            named |= {task.name: task.head_tasks, **{member.name: (member,) for member in task.head_tasks}}
    return named


def head_tasks(name: str) -> tuple[HeadTask, ...]:
    """The heads of a multitask model that answer the task of that name; `BadInput` where it has none."""
    named = head_tasks_by_name()
    if name not in named:
        raise BadInput(f"There is no task {name!r}.{suggest(name, named)}")
    return named[name]
