"""EMOTIC (Kosti et al. 2017, 2019): people in photographs, 26 emotion categories, valence, arousal, dominance (1-10).

The owners give the pictures and `Annotations.mat` by request. That file holds the struct arrays `train`, `val` and
`test`; an entry has `filename`, `folder`, `image_size`, `original_database` and `person`, a struct array with
`body_bbox` [left, top, right, bottom], `annotations_categories.categories`, `annotations_continuous` and, where several
people annotated, `combined_categories` and `combined_continuous`, which then count.

`convert` writes what training reads, for each part: `PART_context.npy` uint8 [N, 224, 224, 3] (the whole picture,
squashed), `PART_body.npy` uint8 [N, 128, 128, 3] (the person), `PART_categories.npy` float32 [N, 26],
`PART_continuous.npy` float32 [N, 3] and `PART.csv` (a person a row).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from models.errors import BadInput, BadPicture
from models.io.images import open_picture, squash

CATEGORIES = (
    "Affection", "Anger", "Annoyance", "Anticipation", "Aversion", "Confidence", "Disapproval", "Disconnection",
    "Disquietment", "Doubt/Confusion", "Embarrassment", "Engagement", "Esteem", "Excitement", "Fatigue", "Fear",
    "Happiness", "Pain", "Peace", "Pleasure", "Sadness", "Sensitivity", "Suffering", "Surprise", "Sympathy", "Yearning",
)  # fmt: skip
CONTINUOUS = ("valence", "arousal", "dominance")
PARTS = {"train": "train", "val": "validation", "test": "test"}
CONTEXT, BODY = 224, 128  # pixels


@dataclass(frozen=True)
class Person:
    """One annotated person; `box` (left, top, right, bottom) in pixels of the picture, cut to lie in it."""

    picture: str
    box: tuple[int, int, int, int]
    categories: tuple[str, ...]
    continuous: tuple[float, float, float]
    gender: str
    age: str


@dataclass(frozen=True)
class Converted:
    """How many people of one part were written, and why others were not."""

    part: str
    people: int
    skipped: dict[str, int]


def read(annotations: str | Path) -> dict[str, list[Person]]:
    """The people of each part by `train`, `validation`, `test`; `BadInput` where the file has another layout."""
    path = Path(annotations)
    try:
        held = loadmat(str(path), simplify_cells=True)
    except (OSError, ValueError, NotImplementedError, TypeError, MatReadError) as error:
        raise BadInput(f"{path} cannot be read as EMOTIC's Annotations.mat: {error}.") from error
    missing = [name for name in PARTS if name not in held]
    if missing:
        raise BadInput(f"{path} lacks {', '.join(missing)}: it is not EMOTIC's Annotations.mat.")
    try:
        return {ours: list(_people(held[theirs])) for theirs, ours in PARTS.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} is not laid out as EMOTIC's Annotations.mat ({error}).") from error


def convert(
    annotations: str | Path, images: str | Path, out: str | Path, *, on_done: Callable[[int], None] | None = None
) -> list[Converted]:
    """Writes the arrays and tables of all parts into `out`; people whose picture is missing or broken are counted."""
    images, out = Path(images), Path(out)
    if not images.is_dir():
        raise BadInput(f"There is no folder of EMOTIC's pictures at {images}.")
    parts = read(annotations)
    out.mkdir(parents=True, exist_ok=True)
    return [_write(part, people, images, out, on_done or (lambda _: None)) for part, people in parts.items()]


def _write(part: str, people: list[Person], images: Path, out: Path, on_done: Callable[[int], None]) -> Converted:
    skipped = {"missing pictures": 0, "unreadable pictures": 0, "boxes without area": 0}
    kept: list[Person] = []
    # Straight to the disk: the context pictures of EMOTIC's training part alone are more than 3 GB.
    context = _Growing(out / f"{part}_context.npy", len(people), (CONTEXT, CONTEXT, 3))
    body = _Growing(out / f"{part}_body.npy", len(people), (BODY, BODY, 3))
    opened: tuple[str, Image.Image | None] = ("", None)
    for number, person in enumerate(people, start=1):
        if person.picture != opened[0]:
            opened = (person.picture, _open(images / person.picture, skipped))
        image = opened[1]
        if image is not None:
            left, top, right, bottom = person.box
            box = (max(0, left), max(0, top), min(image.width, right), min(image.height, bottom))
            if box[0] >= box[2] or box[1] >= box[3]:
                skipped["boxes without area"] += 1
            else:
                context.put(_squash(image, CONTEXT))
                body.put(_squash(image.crop(box), BODY))
                kept.append(Person(person.picture, box, *_rest(person)))
        on_done(number)
    context.close()
    body.close()
    categories = np.array([[name in person.categories for name in CATEGORIES] for person in kept], np.float32)
    continuous = np.array([person.continuous for person in kept], np.float32)
    np.save(out / f"{part}_categories.npy", categories.reshape(-1, len(CATEGORIES)))
    np.save(out / f"{part}_continuous.npy", continuous.reshape(-1, len(CONTINUOUS)))
    with (out / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "picture", "left", "top", "right", "bottom", "categories", *CONTINUOUS, "gender", "age"])
        for row, person in enumerate(kept):
            told = ";".join(person.categories)
            table.writerow([row, person.picture, *person.box, told, *person.continuous, person.gender, person.age])
    return Converted(part, len(kept), {reason: count for reason, count in skipped.items() if count})


class _Growing:
    """A .npy file of at most `most` rows, cut to those that came."""

    def __init__(self, path: Path, most: int, shape: tuple[int, ...]) -> None:
        self._path, self._part = path, path.with_suffix(".part.npy")
        self._rows = np.lib.format.open_memmap(self._part, mode="w+", dtype=np.uint8, shape=(max(1, most), *shape))
        self._count = 0

    def put(self, row: np.ndarray) -> None:
        self._rows[self._count] = row
        self._count += 1

    def close(self) -> None:
        shape = (self._count, *self._rows.shape[1:])
        final = np.lib.format.open_memmap(self._path, mode="w+", dtype=np.uint8, shape=shape)
        for start in range(0, self._count, 256):
            final[start : start + 256] = self._rows[start : min(start + 256, self._count)]
        final.flush()
        del self._rows
        self._part.unlink()


def _open(path: Path, skipped: dict[str, int]) -> Image.Image | None:
    if not path.is_file():
        skipped["missing pictures"] += 1
        return None
    try:
        return open_picture(path.read_bytes()).image
    except BadPicture:
        skipped["unreadable pictures"] += 1
        return None


def _squash(image: Image.Image, side: int) -> np.ndarray:
    return np.asarray(squash(image, side))


def _rest(person: Person) -> tuple[tuple[str, ...], tuple[float, float, float], str, str]:
    return person.categories, person.continuous, person.gender, person.age


def _people(entries: Any) -> Iterator[Person]:
    for entry in _list(entries):
        picture = f"{entry['folder']}/{entry['filename']}"
        for person in _list(entry["person"]):
            left, top, right, bottom = (round(float(value)) for value in person["body_bbox"])
            yield Person(
                picture,
                (left, top, right, bottom),
                _categories(person),
                _continuous(person),
                str(person.get("gender", "")),
                str(person.get("age", "")),
            )


def _categories(person: dict[str, Any]) -> tuple[str, ...]:
    """The combined ones where several people annotated, else those of all annotators."""
    if "combined_categories" in person:
        told = _list(person["combined_categories"])
    else:
        told = [name for one in _list(person["annotations_categories"]) for name in _list(one["categories"])]
    unknown = sorted({str(name) for name in told} - set(CATEGORIES))
    if unknown:
        raise ValueError(f"unknown categories {', '.join(unknown)}")
    return tuple(name for name in CATEGORIES if name in set(told))


def _continuous(person: dict[str, Any]) -> tuple[float, float, float]:
    told = person.get("combined_continuous")
    annotators = _list(told if told is not None else person["annotations_continuous"])
    valence, arousal, dominance = (float(np.nanmean([float(one[name]) for one in annotators])) for name in CONTINUOUS)
    return valence, arousal, dominance


def _list(value: Any) -> list[Any]:
    """MATLAB does not tell one from a list of one."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype != object else list(value)
    return list(value) if isinstance(value, list | tuple) else [value]
