"""Memes with a picture, words and a label from wherever a user has them.

Hateful Memes' official layout (Kiela et al. 2020): img/ and train.jsonl, dev_seen.jsonl, test_seen.jsonl. Any folder with
tables (JSON lines, CSV or Parquet) whose names tell the split. A data set of the Hub in Parquet, by ORGANISATION/NAME.
"""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.errors import BadInput
from models.io import hub
from models.io.column_names import IMAGE_COLUMNS, TEXT_COLUMNS
from training.datasets.base import Dataset, Row, picture_bytes

SPLITS = {"train": "train", "dev": "validation", "val": "validation", "valid": "validation", "validation": "validation",
          "test": "test"}  # fmt: skip
SUFFIXES = (".parquet", ".jsonl", ".csv")
LABEL_COLUMNS = ("label", "labels", "hateful")
VALIDATION_FRACTION = 0.15  # of the groups, where the data set has no validation split
YES, NO = {"1", "true", "hateful", "hate", "yes"}, {"0", "false", "not_hateful", "not hateful", "non-hateful", "no"}


def read(source: str, *, limit: int | None = None) -> dict[str, list[Row]]:
    """Rows with labels by split: `train` and `validation`, and `test` where it has labels. `limit` rows of each.

    Raises `BadInput` with what is missing.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        if not re.fullmatch(r"(hub:)?[\w.-]+/[\w.-]+", source) or folder.exists():
            raise BadInput(f"There is no folder {source}: name one, or a data set of the Hub as ORGANISATION/NAME.")
        folder = hub.fetch_dataset(source.removeprefix("hub:"))
    splits = {
        split: [_with_group(row) for row in [row for path in paths for row in _rows(path, folder)][:limit]]
        for split, paths in _tables(folder).items()
    }
    if "train" not in splits:
        raise BadInput(
            f"{source} has no table for training: it needs a file whose name begins with train (.jsonl, .csv, .parquet)."
        )
    if not any(row.label is not None for row in splits.get("validation", [])):
        rows = splits["train"]
        splits["train"] = [row for row in rows if not _in_validation(row)]
        splits["validation"] = [row for row in rows if _in_validation(row)]
    labelled = {split: [row for row in rows if row.label is not None] for split, rows in splits.items()}
    for split in ("train", "validation"):
        if {row.label for row in labelled[split]} != {0, 1}:
            raise BadInput(f"The {split} rows of {source} must hold both labels, 0 and 1: give more of them.")
    return {split: rows for split, rows in labelled.items() if rows}


def _tables(folder: Path) -> dict[str, list[Path]]:
    """The files of each split; `train.csv` and `train-00000-of-00002.parquet` are both of `train`.

    An "unseen" dev or test set, the second one, is left out where there is a seen one.
    """
    tables: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        word = re.match(r"[a-z]+", path.name.lower())
        if path.suffix in SUFFIXES and word and word[0] in SPLITS:
            tables.setdefault(SPLITS[word[0]], []).append(path)
    return {split: [path for path in paths if "unseen" not in path.name] or paths for split, paths in tables.items()}


def _with_group(row: Row) -> Row:
    """Rows with the same picture are one group; so are rows with the same words alone."""
    return replace(row, group=row.group or hashlib.sha256(row.image or (row.text or "").encode()).hexdigest())


def _in_validation(row: Row) -> bool:
    """A group is on one side, always the same."""
    return int(hashlib.sha256(row.group.encode()).hexdigest()[:8], 16) / 16**8 < VALIDATION_FRACTION


def _rows(path: Path, folder: Path) -> list[Row]:
    """All rows of one table."""
    if path.suffix == ".parquet":
        rows = Dataset(path.name.split(".")[0]).read_parquet(path)
        return [replace(row, label=_label(row.label, path)) for row in rows]
    if path.suffix == ".jsonl":
        frame = pd.read_json(path, lines=True, dtype=False)
    else:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    # of a caption beside a text, the text is what the picture says
    choices = (IMAGE_COLUMNS, reversed(TEXT_COLUMNS), LABEL_COLUMNS)
    image, text, label = (next((name for name in names if name in frame), None) for names in choices)
    if image is None and text is None:
        raise BadInput(f"{path} has neither a column for pictures ({', '.join(IMAGE_COLUMNS)}) nor one for words.")
    rows = []
    for number, entry in enumerate(frame.to_dict("records")):
        words = str(entry[text]) if text and entry[text] is not None else ""
        rows.append(
            Row(
                source=folder.name,
                id=str(entry.get("id", number)),
                text=words if words.strip() else None,
                image=_picture(entry.get(image), path, folder),
                label=_label(entry.get(label), path),
                group=str(entry.get("group", "")),
            )
        )
    return rows


def _picture(value: Any, path: Path, folder: Path) -> bytes | None:
    """The bytes of a picture, which a table holds itself or names relative to its own folder or the data set's."""
    if not value or not isinstance(value, str):
        return picture_bytes(value)
    for base in (path.parent, folder):
        if (base / value).is_file():
            return (base / value).read_bytes()
    raise BadInput(f"{path} names the picture {value}, which is not there: unpack the pictures beside the table.")


def _label(value: Any, path: Path) -> int | None:
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)) or value == -1:
        return None  # the test rows of many data sets
    word = str(value).strip().lower().removesuffix(".0")
    if word in YES or word in NO:
        return int(word in YES)
    raise BadInput(f"{path} has the label {value!r}: labels are 1 (hateful) and 0.")
