"""One row of any data set, where the data lies, and which rows can be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.errors import BadInput, BadPicture
from models.io.images import open_picture

SPLITS = ("train", "validation", "test")
Label = int | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Row:
    """A meme, a sentence or a picture with its annotation.

    `label` is 0/1 for hate and harm, a name for one of several classes, a tuple of names where several may hold, None
    where the file has none. `group`: rows that share it are near-copies and stay on one side of any split.
    `details`: further official columns by name (harm level, FERPlus votes, affect ratings, ...). `row_number` is the row's
    number in its Parquet file, -1 for other layouts. `image_checked`: the picture was opened once and is safe.
    """

    source: str
    id: str
    text: str | None = None
    image: bytes | None = None
    label: Label = None
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    row_number: int = field(default=-1, compare=False)
    image_checked: bool = field(default=False, compare=False)


LoadResult = tuple[list[Row], list[str]]
"""Rows, and one sentence for each problem: a row that was left out, or that lacks something."""


def data_folder(folder: str | Path | None = None) -> Path:
    """`folder`, else `SUBTEXT_DATA`, else `data/`; `BadInput` where it does not exist."""
    path = Path(folder or os.environ.get("SUBTEXT_DATA") or "data")
    if not path.is_dir():
        raise BadInput(f"There is no data folder at {path}: name it with --data or in SUBTEXT_DATA (see the README).")
    return path


def usable_rows(rows: Iterable[Row]) -> LoadResult:
    """The rows whose pictures can be opened safely; a row with an unreadable picture keeps its text, if it has any.

    A picture that was checked before is not opened again.
    """
    usable: list[Row] = []
    problems: list[str] = []
    for row in rows:
        checked = row
        if row.image is not None and not row.image_checked:
            try:
                open_picture(row.image)
                checked = replace(row, image_checked=True)
            except BadPicture as error:
                problems.append(f"Row {row.id}: {error}")
                checked = replace(row, image=None)
        if checked.image is None and checked.text is None:
            problems.append(f"Row {row.id} has neither words nor a picture that can be read, so it is left out.")
        else:
            usable.append(checked)
    return usable, problems
