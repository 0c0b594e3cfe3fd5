"""EMOTIC (Kosti et al. 2017): emotion categories and ratings of people in photographs.

The file is a split's table as `convert-emotic` wrote it (test.csv), with its arrays beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.emotions.people import CONTINUOUS, PeopleReader
from models.errors import BadInput
from training.datasets.base import Dataset, LoadResult, Row
from training.datasets.emotic import CATEGORIES
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult

BATCH_SIZE = 64


def read_people(path: Path, limit: int | None = None) -> LoadResult:
    """A row for each person, with the arrays of that person in `details`; `BadInput` where files are missing."""
    from training.emotic import data  # loads torch

    if path.is_dir() or path.suffix != ".csv":
        raise BadInput(
            f"For emotic, --data is a table that convert-emotic wrote, such as FOLDER/test.csv; {path} is none."
        )
    people = data.read_people(path.parent, path.stem, limit)
    rows = []
    for number, categories in enumerate(people.categories):
        names = tuple(name for name, true in zip(CATEGORIES, categories, strict=True) if true)
        arrays = ("context", "body", "categories", "continuous", "pictures")
        details = {name: getattr(people, name)[number] for name in arrays}
        rows.append(Row("emotic", f"{path.stem}-{number}", label=names, details=details))
    return rows, []


def predict(rows: Sequence[Row], options: EvalOptions, reader: PeopleReader | None = None) -> EvalResult:
    """Ratings, probabilities of all categories, and `label`, the likeliest one."""
    from training.emotic import metrics

    reader = reader or PeopleReader()

    def read(batch: Sequence[Row]) -> list[Any]:
        sides = ([Image.fromarray(np.asarray(row.details[side])) for row in batch] for side in ("context", "body"))
        return reader.read(*sides)

    answers = inputs.batched(iter(rows), read, len(rows), BATCH_SIZE)
    order = [reader.labels.index(name) for name in CATEGORIES]
    probs = np.array([[answer.probabilities[index] for index in order] for answer in answers])
    ratings = np.array([[getattr(answer, name) for name in CONTINUOUS] for answer in answers])
    y_true = {name: np.array([row.details[name] for row in rows]) for name in ("categories", "continuous", "pictures")}
    predictions: dict[str, list[Any]] = {
        **dict(zip(CONTINUOUS, ratings.T.tolist(), strict=True)),
        **dict(zip(CATEGORIES, probs.T.tolist(), strict=True)),
        "label": [CATEGORIES[int(prob.argmax())] for prob in probs],
        "target": [list(row.label) for row in rows],  # type: ignore[arg-type]  # a tuple of names
    }
    values = metrics.category_metrics(y_true["categories"], probs, y_true["pictures"])
    values |= metrics.rating_metrics(y_true["continuous"], ratings)
    notes = Counter({"without_categories": sum(not row.label for row in rows)})
    return EvalResult(predictions, values, notes, {"weights": [reader.card.name]})


TASKS = (
    AppTask(
        name="emotic",
        title="What people in a photograph feel",
        dataset=Dataset("emotic"),
        model="joint_emotic",
        predict=predict,
        read_rows=read_people,
    ),
)
