"""Whom a sentence speaks of, kindly or not, and what kind of hate it is; several may hold, and many are not known.

Sources: HatemojiBuild (Kirk et al. 2022), Multitarget-CONAN (Fanton et al. 2021), DialoCONAN (Bonaldi et al. 2022), and our
own templates in eleven languages.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from models.classifiers.heads import Target
from models.classifiers.targets import KINDS, TARGETS
from training.datasets.base import Row
from training.datasets.hate_targets import (
    HATE_TARGETS,
    KIND_NAMES,
    NAMES,
    NO_KIND,
    NOBODY,
    UNKNOWN,
    known_kinds,
    known_targets,
)
from training.tasks.base import HeadTask, unknown_label

KNOWN_KINDS = (NO_KIND, UNKNOWN, "counter_narrative", *KINDS, *KIND_NAMES)
declared: dict[str, Any] = {"dataset": HATE_TARGETS, "model": "hate_targets", "kind": "multi"}


def _class_names(names: Sequence[str], known: Iterable[float]) -> list[str | None]:
    return [
        None if np.isnan(value) else name if value else f"not_{name}" for name, value in zip(names, known, strict=True)
    ]


def target_labels(row: Row) -> Sequence[str | None]:
    """Yes, no or unknown for each group."""
    names = row.details.get("targets") or ()
    for name in names:
        if name not in NAMES and name != NOBODY:
            raise unknown_label(row, name, "target", NAMES)
    return _class_names(TARGETS, known_targets(names))


def kind_labels(row: Row) -> Sequence[str | None]:
    """Yes, no or unknown for each kind."""
    kind = row.details.get("kind") or UNKNOWN
    if kind not in KNOWN_KINDS:
        raise unknown_label(row, kind, "kind", KNOWN_KINDS)
    return _class_names(KINDS, known_kinds(row.label, kind))


TASKS = (
    HeadTask(
        **declared,
        name="hate-target",
        title="Whom a sentence speaks of, kindly or not",
        columns=("targets",),
        targets=tuple(Target(name, (f"not_{name}", name)) for name in TARGETS),
        labels=target_labels,
    ),
    HeadTask(
        **declared,
        name="hate-kind",
        title="What kind of hate a sentence is",
        columns=("label", "kind"),
        targets=tuple(Target(name, (f"not_{name}", name)) for name in KINDS),
        labels=kind_labels,
    ),
)
