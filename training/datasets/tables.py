"""Official layouts that are a table beside a folder of pictures: csv or JSON in, dicts out, clear words for what is off."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import BadInput

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


def read_table(path: Path) -> list[dict[str, Any]]:
    """csv with a header, a JSON list of objects, or one JSON object a line. `BadInput` names the file and what is off."""
    if not path.is_file():
        raise BadInput(f"{path} is missing: put the file there, or name its folder with --data or in SUBTEXT_DATA.")
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                return [dict(row) for row in csv.DictReader(file)]
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl" or (text.lstrip().startswith("{") and "\n{" in text.strip()):
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            found = json.loads(text)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise BadInput(f"{path} cannot be read as {path.suffix[1:]}: {error}.") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadInput(f"{path} should hold a list of rows with named values.")
    return found


def column(rows: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> str:
    """The first of `names` that the table has; `BadInput` with those that it has instead, or where it has no rows."""
    if not rows:
        raise BadInput(f"{path} has no rows.")
    have = list(dict.fromkeys(key for row in rows for key in row))
    for name in names:
        if name in have:
            return name
    raise BadInput(f"{path} has no column {names[0]!r}: it has {', '.join(map(repr, have)) or 'none'}.")


def picture(folder: Path, name: str) -> bytes:
    """The bytes of a picture by its name, with or without its ending; `BadInput` names the path where it is missing."""
    if not name or Path(name).name != name:
        raise BadInput(f"{name!r} is no name of a picture in {folder}")
    for candidate in (name, *(name + ending for ending in ENDINGS)):
        if (folder / candidate).is_file():
            return (folder / candidate).read_bytes()
    raise BadInput(f"the picture {name} is not in {folder}")


def picture_or_words(folder: Path, name: str, text: str | None, where: str, problems: list[str]) -> bytes | None:
    """As `picture`; a row that has words goes on without a picture that is missing, with a sentence in `problems`."""
    try:
        return picture(folder, name)
    except BadInput as error:
        if text is None:
            raise
        problems.append(f"{where}: {error}; its words are used alone.")
        return None


def group_of(text: str | None, image: bytes | None) -> str:
    """Rows with the same words, or without words with the same picture, are near-copies."""
    words = " ".join(re.findall(r"\w+", (text or "").lower()))
    return hashlib.sha256(words.encode() if words else image or b"").hexdigest()[:16]


def first_folder(root: Path, names: Iterable[str]) -> Path:
    """The first of these folders that is there, else the last one named."""
    for name in names:
        if (root / name).is_dir():
            return root / name
    return root / name
