"""Tasks of `python -m training evaluate` on photographs: `flickr8k` (retrieval) and `oasis` (valence and arousal).

Both run the app's own code: `models.search.joint_space.open_space` and `models.emotions.affect.AffectReader`. A photograph that
cannot be opened is counted and left out; with it go its captions, since neither could be found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from models.emotions.affect import AffectReader
from models.errors import BadInput, BadPicture
from models.io.images import open_picture
from models.search.joint_space import JointSpace, MiniSpace, open_space
from training.datasets.base import Row
from training.datasets.parquet import read_file
from training.metrics import regression, retrieval

DETAILS = {"flickr8k": ("captions",), "oasis": ("valence_mean", "arousal_mean")}
RATINGS = ("valence", "arousal")
AT_ONCE = 64
Columns = dict[str, list[Any]]
Answer = tuple[Columns, dict[str, float], Counter[str], dict[str, Any]]  # columns, figures, notes, settings


def rows_of(task: str, path: str | Path, limit: int | None = None) -> list[Row]:
    """The rows of a Parquet file with the task's own columns; `BadInput` where one is missing."""
    rows = read_file(path, label=None, details=DETAILS[task], limit=limit)
    missing = [name for name in DETAILS[task] if rows and name not in rows[0].details]
    if missing:
        raise BadInput(f"{path} lacks the column {', '.join(missing)}, which the task {task} needs.")
    return rows


def flickr8k(rows: Sequence[Row], space: JointSpace | MiniSpace | None = None) -> Answer:
    """Each picture among all captions and each caption among all pictures; columns hold the ranks, 1 being best."""
    space = space or open_space()
    notes: Counter[str] = Counter()
    told = [
        [str(one) for one in (row.details["captions"] if row.details["captions"] is not None else [])] for row in rows
    ]
    seen = [number for number, _ in _pictures(rows, notes) if told[number]]
    notes["without_captions"] = sum(not one for one in told)
    if len(seen) < 2:
        raise BadInput("Retrieval needs at least two pictures that can be opened, each with a caption.")
    vectors = []
    with tqdm(total=len(rows), disable=None, unit="picture") as bar:
        waiting: list[Image.Image] = []
        for number, image in _pictures(rows, Counter()):
            if told[number]:
                waiting.append(image)
            if len(waiting) == AT_ONCE:
                vectors.append(space.embed_images(waiting))
                waiting = []
            bar.update()
        vectors.append(space.embed_images(waiting))
    owner = np.repeat(np.arange(len(seen)), [len(told[number]) for number in seen])
    words = space.embed_texts([caption for number in seen for caption in told[number]])
    found = retrieval.ranks(np.concatenate(vectors) @ words.T, owner)
    place = {number: at for at, number in enumerate(seen)}
    columns: dict[str, list[Any]] = {
        "image_to_text_rank": [int(found.image[place[n]]) if n in place else None for n in range(len(rows))],
        "text_to_image_ranks": [found.text[owner == place[n]].tolist() if n in place else [] for n in range(len(rows))],
    }
    notes["captions_ranked"] = len(owner)
    return columns, retrieval.metrics(found), notes, {"weights": [card.name for card in space.cards]}


def oasis(rows: Sequence[Row], reader: AffectReader | None = None) -> Answer:
    """Valence and arousal of each photograph and the emotion named from them; null where it cannot be opened."""
    reader = reader or AffectReader()
    notes: Counter[str] = Counter()
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in (*RATINGS, "label")}
    for number, image in tqdm(_pictures(rows, notes), total=len(rows), disable=None, unit="picture"):
        [answer] = reader.read([image])
        columns["valence"][number], columns["arousal"][number] = answer.valence, answer.arousal
        columns["label"][number] = answer.emotion
    truth = {name: [_number(row.details[f"{name}_mean"]) for row in rows] for name in RATINGS}
    given = {name: [_number(value) for value in columns[name]] for name in RATINGS}
    return columns, regression.metrics(truth, given, RATINGS), notes, {"weights": ["picture_emotions"]}


TASKS: dict[str, Callable[[Sequence[Row]], Answer]] = {"flickr8k": flickr8k, "oasis": oasis}


def _pictures(rows: Sequence[Row], notes: Counter[str]) -> Iterator[tuple[int, Image.Image]]:
    for number, row in enumerate(rows):
        if row.image is None:
            notes["without_picture"] += 1
            continue
        try:
            yield number, open_picture(row.image).image
        except BadPicture:
            notes["unreadable_pictures"] += 1


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
