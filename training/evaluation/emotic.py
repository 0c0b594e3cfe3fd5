"""Task `emotic` of `python -m training evaluate`: `--data` names a part's table as `convert-emotic` wrote it (test.csv).

The arrays lie beside the table. The answers are those of the app's own code, `models.emotions.people.PeopleReader`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from models.emotions.people import CONTINUOUS, PeopleReader
from models.errors import BadInput
from training.datasets.base import Row
from training.datasets.emotic import CATEGORIES
from training.emotic import data, metrics
from training.evaluation.pictures import Answer

AT_ONCE = 64


def outcome(path: str | Path, limit: int | None = None, reader: PeopleReader | None = None) -> tuple[list[Row], Answer]:
    """The people as rows without their pictures, and what the reader says of them; `BadInput` where files are missing."""
    path = Path(path)
    if path.is_dir() or path.suffix != ".csv":
        raise BadInput(
            f"For emotic, --data is a table that convert-emotic wrote, such as FOLDER/test.csv; {path} is none."
        )
    people = data.read_people(path.parent, path.stem, limit)
    reader = reader or PeopleReader()
    found = []
    for start in tqdm(range(0, len(people), AT_ONCE), disable=None, unit="batch"):
        sides = (
            [Image.fromarray(np.asarray(picture)) for picture in pictures[start : start + AT_ONCE]]
            for pictures in (people.context, people.body)
        )
        found += reader.read(*sides)
    order = [reader.labels.index(name) for name in CATEGORIES]
    chances = np.array([[one.probabilities[at] for at in order] for one in found])
    ratings = np.array([[getattr(one, name) for name in CONTINUOUS] for one in found])
    columns: dict[str, list[Any]] = {name: ratings[:, at].tolist() for at, name in enumerate(CONTINUOUS)}
    columns |= {name: chances[:, at].tolist() for at, name in enumerate(CATEGORIES)}
    columns["label"] = [CATEGORIES[int(one.argmax())] for one in chances]
    names = [tuple(name for name, there in zip(CATEGORIES, one, strict=True) if there) for one in people.categories]
    columns["target"] = [list(one) for one in names]
    rows = [Row("emotic", f"{path.stem}-{number}", label=name) for number, name in enumerate(names)]
    figures = metrics.category_metrics(people.categories, chances, people.pictures)
    figures |= metrics.rating_metrics(people.continuous, ratings)
    notes = Counter({"without_categories": sum(not one for one in names)})
    return rows, (columns, figures, notes, {"weights": [reader.card.name]})
