"""One row of any data set, what a data set declares about itself, and the one way in which all of them are loaded."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import BadInput, BadPicture
from models.io.images import open_picture

PUBLISHED_SPLITS = ("train", "validation")
Label = int | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Row:
    """A meme, a sentence or a picture with its annotation.

    `label` is 0/1 for hate and harm, a name for one of several classes, a tuple of names where several may hold, None
    where the file has none. `group`: rows that share it are near-copies and stay on one side of any split.
    `language`: its ISO 639-1 code, None where the file has none.
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
    language: str | None = None


LoadResult = tuple[list[Row], list[str]]
"""Rows, and one sentence for each problem: a row that was left out, or that lacks something."""


@dataclass(frozen=True)
class Dataset:
    """A data set: the columns of its Parquet files, and readers for its official layout, where it has one.

    label, identity, details: columns of the label, the row's name and further official values. required: columns that a
    published split must have. official_split: rows of a split from the official files under the data folder, None where
    there are no such files. official_file: rows of one official file. on_request: its owners give it out on request.
    """

    name: str
    required: tuple[str, ...] = ()
    label: str | None = "label"
    identity: str = "id"
    details: tuple[str, ...] = ()
    official_split: Callable[[Path, str], LoadResult | None] | None = None
    official_file: Callable[[Path], LoadResult] | None = None
    on_request: bool = False

    def load(self, split: str, folder: str | Path | None = None) -> LoadResult:
        """Rows of a split and problems: from Parquet if the training split is there, else from the official files.

        A split that the official layout does not have is empty. Raises `BadInput` for files or columns that are missing.
        """
        root = data_folder(folder)
        if self.official_split and not (root / f"{self.name}.train.parquet").is_file():
            result = self.official_split(root, split)
            if result is not None:
                return result
        return self.read_parquet(parquet_path(self.name, split, root), self.required), []

    def read_parquet(self, path: str | Path, required: Iterable[str] = (), *, limit: int | None = None) -> list[Row]:
        """The rows of any Parquet file with this data set's columns, in the file's order, at most `limit`.

        Columns that are not `required` may be missing, but not image and text both. Text that is null or blank becomes
        None, and so does a picture without bytes. Raises `BadInput` where the file cannot be read, lacks a required column,
        or has neither text nor pictures.
        """
        require_file(Path(path))
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise BadInput(f"{path} cannot be read as a Parquet file: {error}.") from error
        require_columns(path, table.column_names, required, self.name)
        if not {"image", "text"} & set(table.column_names):
            raise BadInput(f"{path} has neither a column image nor a column text, but {', '.join(table.column_names)}.")
        return [self._row(number, record) for number, record in enumerate(table.slice(0, limit).to_pylist())]

    def _row(self, number: int, record: Mapping[str, Any]) -> Row:
        text, identity, group = record.get("text"), record.get(self.identity), record.get("group")
        return Row(
            source=self.name,
            id=str(number if identity is None else identity),
            text=text if text and text.strip() else None,
            image=picture_bytes(record.get("image")),
            label=_label(record.get(self.label)) if self.label else None,
            group="" if group is None else str(group),
            language=record.get("language") or None,
            details={name: record[name] for name in self.details if name in record},
            row_number=number,
        )


def data_folder(folder: str | Path | None = None) -> Path:
    """`folder`, else `SUBTEXT_DATA`, else `data/`; `BadInput` where it does not exist."""
    path = Path(folder or os.environ.get("SUBTEXT_DATA") or "data")
    if not path.is_dir():
        raise BadInput(f"There is no data folder at {path}: name it with --data or in SUBTEXT_DATA (see docs/data.md).")
    return path


def parquet_path(name: str, split: str, folder: str | Path | None = None) -> Path:
    """`NAME.SPLIT.parquet` in the data folder; `BadInput` names the path where it is missing."""
    if split not in PUBLISHED_SPLITS:
        raise BadInput(f"A data set has the splits train and validation, not {split!r}.")
    path = data_folder(folder) / f"{name}.{split}.parquet"
    if not path.is_file():
        raise BadInput(f"{path} is missing: put the file there, or name its folder with --data or in SUBTEXT_DATA.")
    return path


def require_file(path: Path) -> None:
    """`BadInput` where the file does not exist."""
    if not path.exists():
        raise BadInput(f"There is no file {path}: check its name and its folder.")


def require_columns(path: str | Path, columns: Sequence[str], required: Iterable[str], user: str) -> None:
    """`BadInput` names the file, the missing columns that `user` needs, and the columns of the file."""
    missing = [name for name in required if name not in columns]
    if missing:
        names = f"{'column' if len(missing) == 1 else 'columns'} {', '.join(map(repr, missing))}"
        raise BadInput(f"{path} has no {names}, which {user} needs: it has {', '.join(map(repr, columns)) or 'none'}.")


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


def print_problems(problems: Sequence[str], limit: int, more: str) -> None:
    """The first `limit` sentences, and how many others there are, followed by `more`."""
    for problem in problems[:limit]:
        print(problem)
    if len(problems) > limit:
        print(f"... and {len(problems) - limit} more{more}")


def picture_bytes(value: Any) -> bytes | None:
    """The bytes of a picture; Hugging Face's own files have them in a struct `{bytes, path}`."""
    return (value.get("bytes") if isinstance(value, dict) else value) or None


def _label(value: Any) -> Any:
    """A list becomes a tuple; 0.0 and True, which other tools write for 0 and 1, become whole numbers; NaN is missing."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, float) and math.isnan(value):
        return None  # what pandas writes for a missing number
    return int(value) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else value
