"""EMOTIC (Kosti et al. 2017, 2019): people in photographs, 26 emotion categories, valence, arousal, dominance (1-10).

The owners give the pictures and `Annotations.mat` by request. That file holds the struct arrays `train`, `val` and
`test`; an entry has `filename`, `folder`, `image_size`, `original_database` and `person`, a struct array with
`body_bbox` [left, top, right, bottom], `annotations_categories.categories`, `annotations_continuous` and, where several
people annotated, `combined_categories` and `combined_continuous`, which then count.

`convert` writes what training reads, for each split: `SPLIT_context.npy` uint8 [N, 224, 224, 3] (the whole picture,
squashed), `SPLIT_body.npy` uint8 [N, 128, 128, 3] (the person), `SPLIT_categories.npy` float32 [N, 26],
`SPLIT_continuous.npy` float32 [N, 3] and `SPLIT.csv` (a person a row).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from models.emotions.people import CONTINUOUS
from models.errors import BadInput, BadPicture
from models.io.images import open_picture, squash

CATEGORIES = (
    "Affection", "Anger", "Annoyance", "Anticipation", "Aversion", "Confidence", "Disapproval", "Disconnection",
    "Disquietment", "Doubt/Confusion", "Embarrassment", "Engagement", "Esteem", "Excitement", "Fatigue", "Fear",
    "Happiness", "Pain", "Peace", "Pleasure", "Sadness", "Sensitivity", "Suffering", "Surprise", "Sympathy", "Yearning",
)  # fmt: skip
SPLITS = {"train": "train", "val": "validation", "test": "test"}
SIDES = {"context": 224, "body": 128}  # pixels
FILES = ("context.npy", "body.npy", "categories.npy", "continuous.npy")
HINT = "make it with `python -m training convert-emotic Annotations.mat PICTURES {folder}`"


@dataclass(frozen=True)
class People:
    """N converted people: pictures uint8 (N, 224, 224, 3) and (N, 128, 128, 3), memory-mapped.

    `categories` float32 (N, 26) of 0 and 1, `continuous` float32 (N, 3) from 1 to 10 (NaN unknown), `pictures` int [N]: people
    of one picture share a number.
    """

    context: np.ndarray
    body: np.ndarray
    categories: np.ndarray
    continuous: np.ndarray
    pictures: np.ndarray

    def __len__(self) -> int:
        return len(self.categories)


@dataclass(frozen=True)
class Person:
    """One annotated person; `box` (left, top, right, bottom) in pixels of the picture, cut to lie in it."""

    picture: str
    box: tuple[int, ...]
    categories: tuple[str, ...]
    continuous: tuple[float, ...]
    gender: str
    age: str


@dataclass(frozen=True)
class Converted:
    """How many people of one split were written, and why others were not."""

    split: str
    people: int
    skipped: dict[str, int]


def read(annotations: str | Path) -> dict[str, list[Person]]:
    """The people of each split by `train`, `validation`, `test`; `BadInput` where the file has another layout."""
    path = Path(annotations)
    try:
        entries = loadmat(str(path), simplify_cells=True)
    except (OSError, ValueError, NotImplementedError, TypeError, MatReadError) as error:
        raise BadInput(f"{path} cannot be read as EMOTIC's Annotations.mat: {error}.") from error
    missing = [name for name in SPLITS if name not in entries]
    if missing:
        raise BadInput(f"{path} lacks {', '.join(missing)}: it is not EMOTIC's Annotations.mat.")
    try:
        return {ours: list(_people(entries[theirs])) for theirs, ours in SPLITS.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} is not laid out as EMOTIC's Annotations.mat ({error}).") from error


def convert(annotations: str | Path, images: str | Path, out: str | Path) -> list[Converted]:
    """Writes the arrays and tables of all splits into `out`; people whose picture is missing or broken are counted."""
    images, out = Path(images), Path(out)
    if not images.is_dir():
        raise BadInput(f"There is no folder of EMOTIC's pictures at {images}.")
    splits = read(annotations)
    out.mkdir(parents=True, exist_ok=True)
    return [_write(split, people, images, out) for split, people in splits.items()]


def read_people(folder: str | Path, split: str, limit: int | None = None) -> People:
    """The people of `train`, `validation` or `test`; raises `BadInput` with what is missing, damaged or does not fit."""
    folder = Path(folder)
    hint = HINT.format(folder=folder)
    names = [f"{split}_{file}" for file in FILES] + [f"{split}.csv"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadInput(f"{folder} lacks {', '.join(missing)}: {hint}.")
    try:
        arrays = [np.load(folder / name, mmap_mode="r") for name in names[:-1]]
        pictures = pd.read_csv(folder / names[-1], dtype=str, keep_default_na=False)["picture"].to_numpy(str)
    except (OSError, ValueError, KeyError) as error:  # a damaged table is a ValueError
        raise BadInput(f"{folder} has a damaged file of the split {split} ({error}): {hint}.") from error
    context, body, categories, continuous = arrays
    widths = [array.shape[-1] for array in arrays]
    if len({len(item) for item in (*arrays, pictures)}) > 1 or widths != [3, 3, len(CATEGORIES), len(CONTINUOUS)]:
        raise BadInput(f"The files of the split {split} in {folder} do not fit each other: {hint} again.")
    if not len(pictures):
        raise BadInput(f"The split {split} in {folder} holds no people: {hint} from all pictures.")
    numbers = np.unique(pictures, return_inverse=True)[1]
    return People(
        context[:limit], body[:limit], *(np.array(array[:limit]) for array in (categories, continuous, numbers))
    )


def _write(split: str, people: list[Person], images: Path, out: Path) -> Converted:
    skipped = {"missing pictures": 0, "unreadable pictures": 0, "boxes without area": 0}

    @lru_cache(maxsize=1)  # the people of a picture follow each other
    def open_image(name: str) -> Image.Image | None:
        try:
            return open_picture((images / name).read_bytes()).image
        except (FileNotFoundError, IsADirectoryError):
            skipped["missing pictures"] += 1
        except BadPicture:
            skipped["unreadable pictures"] += 1
        return None

    # Straight to the disk: the context pictures of EMOTIC's training split alone are more than 3 GB.
    unfinished = {name: out / f"{split}_{name}.part.npy" for name in SIDES}
    arrays = {
        name: np.lib.format.open_memmap(
            unfinished[name], mode="w+", dtype=np.uint8, shape=(max(1, len(people)), side, side, 3)
        )
        for name, side in SIDES.items()
    }
    written: list[Person] = []
    for person in people:
        image = open_image(person.picture)
        if image is not None:
            left, top, right, bottom = person.box
            box = (max(0, left), max(0, top), min(image.width, right), min(image.height, bottom))
            if box[0] >= box[2] or box[1] >= box[3]:
                skipped["boxes without area"] += 1
            else:
                for name, view in (("context", image), ("body", image.crop(box))):
                    arrays[name][len(written)] = np.asarray(squash(view, SIDES[name]))
                written.append(replace(person, box=box))
    for name, path in unfinished.items():
        np.save(out / f"{split}_{name}.npy", arrays.pop(name)[: len(written)])
        path.unlink()
    categories = np.array([[name in person.categories for name in CATEGORIES] for person in written], np.float32)
    continuous = np.array([person.continuous for person in written], np.float32)
    np.save(out / f"{split}_categories.npy", categories.reshape(-1, len(CATEGORIES)))
    np.save(out / f"{split}_continuous.npy", continuous.reshape(-1, len(CONTINUOUS)))
    with (out / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "picture", "left", "top", "right", "bottom", "categories", *CONTINUOUS, "gender", "age"])
        for row, person in enumerate(written):
            names = ";".join(person.categories)
            table.writerow([row, person.picture, *person.box, names, *person.continuous, person.gender, person.age])
    return Converted(split, len(written), {reason: count for reason, count in skipped.items() if count})


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
        names = _list(person["combined_categories"])
    else:
        names = [name for entry in _list(person["annotations_categories"]) for name in _list(entry["categories"])]
    unknown = sorted({str(name) for name in names} - set(CATEGORIES))
    if unknown:
        raise ValueError(f"unknown categories {', '.join(unknown)}")
    return tuple(name for name in CATEGORIES if name in set(names))


def _continuous(person: dict[str, Any]) -> tuple[float, ...]:
    combined = person.get("combined_continuous")
    annotators = _list(combined if combined is not None else person["annotations_continuous"])
    return tuple(float(np.nanmean([float(ratings[name]) for ratings in annotators])) for name in CONTINUOUS)


def _list(value: Any) -> list[Any]:
    """MATLAB does not tell one from a list of one."""
    items: list[Any] = np.atleast_1d(value).tolist()
    return items
