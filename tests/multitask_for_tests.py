"""Small multitask configurations, and drawn rows that they learn from in a few steps."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from PIL import Image

from training.datasets.base import Row
from training.multitask import config
from training.multitask.config import FusionConfig, MultitaskConfig
from training.tasks import registry

MEMOTION = {
    "humour": ("not_funny", "hilarious"),
    "sarcasm": ("not_sarcastic", "very_twisted"),
    "offensive": ("not_offensive", "slight"),
    "motivational": ("not_motivational", "motivational"),
}
LABELS = {
    "memotion": ("negative", "very_positive"),
    "memotion_polarity": ("negative", "positive"),
    "dreaddit": (0, 1),
    "harmeme": (0, 1),
    "axiom": ("Restlessness", "Irritatbily"),
    "restore": ((), ("Self-Harm", "Feeling Down")),
    "hate_targets": (0, 1),
}
DETAILS: dict[str, Any] = {
    "memotion": lambda kind: {name: values[kind] for name, values in MEMOTION.items()},
    "dreaddit": lambda kind: {"domain": ("ptsd", "social")[kind]},
    "harmeme": lambda kind: {"target": (None, "community")[kind]},
    "hate_targets": lambda kind: {
        "targets": (["LGBT+"], ["Muslims", "women"])[kind],
        "kind": ("none", "threateninglanguage")[kind],
    },
}


def drawn(data: str, count: int = 32) -> list[Row]:
    """Rows of two kinds that differ in colour and words, each its own group."""
    labels = LABELS.get(data) or _classes(data)
    rows = []
    for number in range(count):
        kind = number % 2
        buffer = io.BytesIO()
        Image.new("RGB", (40, 30), ((20, 40, 200), (220, 60, 30))[kind]).save(buffer, "PNG")
        words = (("we love good people", "we hate the mondays")[kind] + " not" * (number % 3)).strip()
        details = DETAILS[data](kind) if data in DETAILS else {}
        rows.append(Row(data, f"{number}", f"{words} {number}", buffer.getvalue(), labels[kind], f"g{number}", details))
    return rows


def _classes(data: str) -> tuple[str, ...]:
    """Two labels of a data set without an entry in `LABELS`: the first classes of its first task."""
    task = next(task for task in registry.TASKS.values() if task.dataset.name == data and task.head_tasks)
    return task.head_tasks[0].targets[0].classes[:2]


def small(name: str) -> MultitaskConfig:
    """The configuration with a small fusion and image, at most two folds, and learning rates that learn in a few steps."""
    settings = config.load(name)
    schedule = replace(
        settings.schedule, folds=min(2, settings.schedule.folds), epochs=4, batch_size=8, lr=3e-3, encoder_lr=1e-3,
        warmup_fraction=0.0, modality_dropout=0.0,
    )  # fmt: skip
    fusion = FusionConfig(settings.fusion.name, {**settings.fusion.options, "width": 16, "dropout": 0.0})
    image = settings.image
    if image is not None and image.fallback is not None:
        image = replace(image, fallback=replace(image.fallback, side=32))
    return replace(settings, schedule=schedule, fusion=fusion, image=image)


def scheduled(settings: MultitaskConfig, **changes: Any) -> MultitaskConfig:
    """The configuration with changes of its schedule."""
    return replace(settings, schedule=replace(settings.schedule, **changes))
