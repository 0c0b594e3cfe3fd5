"""Official layouts that are a table beside a folder of pictures: csv or JSON in, `Row`s out, a sentence for each problem."""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import BadInput
from models.io.images import SUFFIXES
from training.datasets.base import LoadResult, Row


def read_table(path: Path, *columns: str) -> list[dict[str, Any]]:
    """csv with a header, a JSON list of objects, or one JSON object a line, which must have the `columns`.

    `BadInput` names the file and the problem.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing: put the file there, or name its folder with --data or in SUBTEXT_DATA.")
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                table = list(csv.DictReader(file))
        else:
            text = path.read_text(encoding="utf-8-sig")
            lines = path.suffix == ".jsonl" or (text.lstrip().startswith("{") and "\n{" in text.strip())
            table = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read as {path.suffix[1:]}: {error}.") from error
    if not isinstance(table, list) or not all(isinstance(record, dict) for record in table):
        raise BadInput(f"{path} should hold a list of rows with named values.")
    for name in columns:
        find_column(table, (name,), path)
    return table


def read_rows(
    table: Sequence[dict[str, Any]],
    path: Path,
    parse: Callable[[dict[str, Any], str, list[str]], Row | None],
    *,
    unit: str = "row",
    start: int = 1,
) -> LoadResult:
    """Rows that `parse(record, position, problems)` makes of a table's records, numbered from `start`.

    A record for which it raises `BadInput` is left out with a sentence; `position` ("FILE, row 3") begins each sentence.
    """
    rows: list[Row | None] = []
    problems: list[str] = []
    for number, record in enumerate(table, start=start):
        position = f"{path.name}, {unit} {number}"
        try:
            rows.append(parse(record, position, problems))
        except BadInput as error:
            problems.append(f"{position}: {error}; the row is left out.")
    return [row for row in rows if row is not None], problems


def find_column(table: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> str:
    """The first of `names` that the table has; `BadInput` with its columns, or where it has no rows."""
    if not table:
        raise BadInput(f"{path} has no rows.")
    columns = list(dict.fromkeys(key for record in table for key in record))
    for name in names:
        if name in columns:
            return name
    raise BadInput(f"{path} has no column {names[0]!r}: it has {', '.join(map(repr, columns)) or 'none'}.")


def read_picture(folder: Path, name: str) -> bytes:
    """The bytes of a picture by its name, with or without its ending; `BadInput` names the path where it is missing."""
    if not name or Path(name).name != name:
        raise BadInput(f"{name!r} is no name of a picture in {folder}")
    for candidate in (name, *(name + ending for ending in SUFFIXES)):
        if (folder / candidate).is_file():
            return (folder / candidate).read_bytes()
    raise BadInput(f"the picture {name} is not in {folder}")


def picture_or_none(folder: Path, name: str, text: str | None, position: str, problems: list[str]) -> bytes | None:
    """As `read_picture`; a row with text goes on without a missing picture, with a sentence in `problems`."""
    try:
        return read_picture(folder, name)
    except BadInput as error:
        if text is None:
            raise
        problems.append(f"{position}: {error}; its words are used alone.")
        return None


def group_of(text: str | None, image: bytes | None) -> str:
    """Rows with the same words, or without words with the same picture, are near-copies."""
    words = " ".join(re.findall(r"\w+", (text or "").lower()))
    return hashlib.sha256(words.encode() if words else image or b"").hexdigest()[:16]


def first_folder(*folders: Path) -> Path:
    """The first of these folders that exists, else the last one."""
    return next((folder for folder in folders if folder.is_dir()), folders[-1])


def find_file(folder: Path, name: str, title: str) -> Path:
    """The first file of that name under the folder; `BadInput` names what to unpack (`title`) where there is none."""
    path = min(folder.rglob(name), default=None) if folder.is_dir() else None
    if path is None:
        raise BadInput(f"{name} is missing under {folder}: unpack {title}'s official files there.")
    return path
