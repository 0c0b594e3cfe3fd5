"""The layout that AxiOM and RESTORE share: a JSON or csv table with an image id, OCR text and categories, and pictures.

    DATA/axiom/train.json, DATA/axiom/val.json, DATA/axiom/images/TR-12.jpg     (RESTORE: DATA/restore/...)

Columns as published: `sample_id` and/or `image_id`, `ocr_text`, and `meme_anxiety_category` (one) or
`meme_depressive_categories` (a list; in a csv separated by commas or as a list in brackets).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import BadInput
from training.datasets.base import Label, Row
from training.datasets.folder import data_folder
from training.datasets.tables import column, first_folder, group_of, picture_or_words, read_table

PARTS = {
    "train": ("train", "anxiety_train", "depressive_train"),
    "validation": ("validation", "val", "anxiety_val", "depressive_val"),
    "test": ("test", "anxiety_test", "depressive_test"),
}
ENDINGS = (".json", ".jsonl", ".csv")


@dataclass(frozen=True)
class Layout:
    """`name` of the data set and its folder, the names its category column goes by, and what makes a label of a value."""

    name: str
    category: Sequence[str]
    label: Callable[[Any], Label]


def load(layout: Layout, part: str, folder: str | Path | None) -> tuple[list[Row], list[str]]:
    """The rows of one part, none for a validation part that is not there, and a sentence for each that was left out."""
    root = data_folder(folder) / layout.name
    tables = [root / f"{name}{ending}" for name in PARTS[part] for ending in ENDINGS]
    there = [path for path in tables if path.is_file()]
    if not there:
        if part == "validation":
            return [], []
        raise BadInput(
            f"{root} has no {layout.name} rows: its owners give them out on request; put {tables[0].name} (or .csv) and "
            "images/ there."
        )
    return of_file(layout, there[0])


def of_file(layout: Layout, path: Path) -> tuple[list[Row], list[str]]:
    """The rows of one table of any name, with the pictures of its part beside it, or those of all parts in `images/`."""
    part = next((part for part, names in PARTS.items() if path.stem in names), path.stem)
    return rows_of(layout, path, first_folder(path.parent, (f"{part}_images", "images")))


def rows_of(layout: Layout, path: Path, images: Path) -> tuple[list[Row], list[str]]:
    """Rows of one table. A missing column is an error; a row without category or without anything to read a sentence."""
    table = read_table(path)
    name = column(table, ("image_id", "sample_id", "id"), path)
    identity = "sample_id" if any("sample_id" in line for line in table) else name
    words, category = column(table, ("ocr_text", "text"), path), column(table, layout.category, path)
    rows: list[Row] = []
    problems: list[str] = []
    for number, line in enumerate(table, start=1):
        text, where = str(line.get(words) or "").strip() or None, f"{path.name}, row {number}"
        try:
            label = layout.label(line.get(category))
            image = picture_or_words(images, str(line.get(name) or ""), text, where, problems)
        except BadInput as error:
            problems.append(f"{where}: {error}; the row is left out.")
            continue
        rows.append(Row(layout.name, str(line.get(identity)), text, image, label, group_of(text, image)))
    return rows, problems


def one(value: Any) -> Label:
    """A single category; `BadInput` where there is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{value!r} is no category")
    return value.strip()


def several(value: Any) -> Label:
    """A list of categories, or its text in a csv; an empty list is one."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = ast.literal_eval(text)
            except (ValueError, SyntaxError) as error:
                raise BadInput(f"{text!r} is no list of categories") from error
        else:
            value = [part.strip() for part in text.split(",") if part.strip()]
    if not isinstance(value, list):
        raise BadInput(f"{value!r} is no list of categories")
    return tuple(str(part).strip() for part in value)
