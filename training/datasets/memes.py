"""Memes with a picture, words and a label from wherever a user has them.

Hateful Memes' official layout (Kiela et al. 2020): img/ and train.jsonl, dev_seen.jsonl, test_seen.jsonl. Any folder with
tables (JSON lines, CSV or Parquet) whose names tell the part. A data set of the Hub in Parquet, by ORGANISATION/NAME.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.errors import BadInput
from models.io import hub
from training.datasets.base import Row
from training.datasets.parquet import picture_bytes, read_file

PARTS = {"train": "train", "dev": "validation", "val": "validation", "valid": "validation", "validation": "validation",
         "test": "test"}  # fmt: skip
UNSEEN = re.compile(r"unseen")  # a second dev or test set, which is left out where there is a seen one
IMAGE, TEXT, LABEL = (
    ("image", "img", "file_name", "image_path", "path"),
    ("text", "caption"),
    ("label", "labels", "hateful"),
)
HELD_OUT = 0.15  # of the groups, where the data set has no validation part
YES, NO = {"1", "true", "hateful", "hate", "yes"}, {"0", "false", "not_hateful", "not hateful", "non-hateful", "no"}


def read(source: str, *, revision: str = "", limit: int | None = None) -> dict[str, list[Row]]:
    """Rows with labels by part: `train` and `validation`, and `test` where it has labels. `limit` rows of each.

    Raises `BadInput` with what is missing.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        if not re.fullmatch(r"(hub:)?[\w.-]+/[\w.-]+", source) or folder.exists():
            raise BadInput(f"There is no folder {source}: name one, or a data set of the Hub as ORGANISATION/NAME.")
        folder = hub.fetch_dataset(source.removeprefix("hub:"), revision)
    parts = {name: _rows(name, files, folder, limit) for name, files in _tables(folder).items()}
    if "train" not in parts:
        raise BadInput(
            f"{source} has no table for training: it needs a file whose name begins with train (.jsonl, .csv, .parquet)."
        )
    if not any(row.label is not None for row in parts.get("validation", [])):
        parts["train"], parts["validation"] = _held_out(parts["train"])
    found = {name: [row for row in rows if row.label is not None] for name, rows in parts.items()}
    for name in ("train", "validation"):
        if {row.label for row in found[name]} != {0, 1}:
            raise BadInput(f"The {name} rows of {source} must hold both labels, 0 and 1: give more of them.")
    return {name: rows for name, rows in found.items() if rows}


def _tables(folder: Path) -> dict[str, list[Path]]:
    """The files of each part; `train.csv` and `train-00000-of-00002.parquet` are both of `train`."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        word = re.match(r"[a-z]+", path.name.lower())
        if path.suffix in READERS and word and word[0] in PARTS:
            found.setdefault(PARTS[word[0]], []).append(path)
    for name, files in found.items():
        seen = [path for path in files if not UNSEEN.search(path.name)]
        found[name] = seen or files
    return found


def _rows(part: str, files: list[Path], folder: Path, limit: int | None) -> list[Row]:
    rows: list[Row] = []
    for path in files:
        rows += READERS[path.suffix](path, folder)
    return [_grouped(row) for row in rows[:limit]]


def _grouped(row: Row) -> Row:
    """Rows with the same picture are one group; so are rows with the same words alone."""
    if row.group:
        return row
    return replace(row, group=hashlib.sha256(row.image or (row.text or "").encode()).hexdigest())


def _from_parquet(path: Path, _: Path) -> list[Row]:
    return [replace(row, label=_label(row.label, path)) for row in read_file(path)]


def _from_lines(path: Path, folder: Path) -> list[Row]:
    return _from_frame(pd.read_json(path, lines=True, dtype=False), path, folder)


def _from_csv(path: Path, folder: Path) -> list[Row]:
    return _from_frame(pd.read_csv(path, dtype=str, keep_default_na=False), path, folder)


READERS: dict[str, Callable[[Path, Path], list[Row]]] = {
    ".parquet": _from_parquet,
    ".jsonl": _from_lines,
    ".csv": _from_csv,
}


def _from_frame(frame: pd.DataFrame, path: Path, folder: Path) -> list[Row]:
    image, text, label = (next((name for name in names if name in frame), None) for names in (IMAGE, TEXT, LABEL))
    if image is None and text is None:
        raise BadInput(f"{path} has neither a column for pictures ({', '.join(IMAGE)}) nor one for words.")
    rows = []
    for number, entry in enumerate(frame.to_dict("records")):
        words = str(entry[text]) if text and entry[text] is not None else ""
        rows.append(
            Row(
                source=folder.name,
                id=str(entry.get("id", number)),
                text=words if words.strip() else None,
                image=_picture(entry, image, path, folder),
                label=_label(entry.get(label) if label else None, path),
                group=str(entry.get("group", "")),
            )
        )
    return rows


def _picture(entry: Mapping[str, Any], column: str | None, path: Path, folder: Path) -> bytes | None:
    named = entry.get(column) if column else None
    if not named:
        return None
    if not isinstance(named, str):
        return picture_bytes(named)
    for base in (path.parent, folder):
        file = base / named
        if file.is_file():
            return file.read_bytes()
    raise BadInput(f"{path} names the picture {named}, which is not there: unpack the pictures beside the table.")


def _label(value: Any, path: Path) -> int | None:
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)) or value == -1:
        return None  # the test rows of many data sets
    word = str(value).strip().lower().removesuffix(".0")
    if word in YES or word in NO:
        return int(word in YES)
    raise BadInput(f"{path} has the label {value!r}: labels are 1 (hateful) and 0.")


def _held_out(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Training and validation rows; a group is on one side, always the same."""

    def out(row: Row) -> bool:
        return int(hashlib.sha256(row.group.encode()).hexdigest()[:8], 16) / 16**8 < HELD_OUT

    return [row for row in rows if not out(row)], [row for row in rows if out(row)]
