"""HarMeme / Harm-C: COVID-19 memes, harmful or not (Pramanick et al. 2021). Harmful is not hateful.

Parquet parts, or the official files anywhere under `DATA/harmeme`: `train.jsonl`, `val.jsonl`, `test.jsonl` with lines of
`{"id": "covid_memes_18", "image": "covid_memes_18.png", "labels": ["somewhat harmful", "individual"], "text": "..."}`, and
the pictures in `images/` beside them or beside their folder, as in `datasets/memes/defaults/{annotations,images}/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import BadInput
from training.datasets.base import Row
from training.datasets.folder import data_folder
from training.datasets.parquet import read_part
from training.datasets.tables import column, group_of, picture_or_words, read_table

FILES = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
LEVELS = {"not harmful": 0, "somewhat harmful": 1, "very harmful": 1}


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: 1 = harmful; `details`: the degrees of harm and whom it is aimed at (empty where not harmful)."""
    details, needed = ("raw_label", "harm_level", "target"), ("image", "text", "label", "target")
    return read_part("harmeme", part, folder, details=details, needed=needed)


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """The Parquet part if it is there, else the official file, with its split; and a sentence for each odd row."""
    root = data_folder(folder)
    own = root / "harmeme"
    if (root / "harmeme.train.parquet").is_file() or not own.is_dir():
        return read(part, folder), []
    if part not in FILES:
        raise BadInput(f"HarMeme has the parts {', '.join(FILES)}, not {part!r}.")
    there = sorted(own.rglob(FILES[part]))
    if not there:
        raise BadInput(f"{FILES[part]} is missing under {own}: unpack HarMeme's official files there.")
    return of_file(there[0], own)


def of_file(path: Path, *further: Path) -> tuple[list[Row], list[str]]:
    """Rows of an official file, with the pictures in `images/` beside it, beside its folder or in a `further` one."""
    beside = [place / "images" for place in (path.parent, path.parent.parent, *further)]
    return read_lines(path, next((place for place in beside if place.is_dir()), beside[-1]))


def read_lines(path: Path, images: Path) -> tuple[list[Row], list[str]]:
    """Rows of an official file, named by their picture. A missing column is an error; what a row lacks is a sentence."""
    table = read_table(path)
    name, words, labels = (column(table, (key,), path) for key in ("image", "text", "labels"))
    rows: list[Row] = []
    problems: list[str] = []
    for number, line in enumerate(table, start=1):
        text, where = str(line.get(words) or "").strip() or None, f"{path.name}, row {number}"
        try:
            label, details = _labels(line.get(labels))
            image = picture_or_words(images, str(line.get(name) or ""), text, where, problems)
        except BadInput as error:
            problems.append(f"{where}: {error}; the row is left out.")
            continue
        identity = str(line.get(name) or line.get("id") or number)
        rows.append(Row("harmeme", identity, text, image, label, group_of(text, image), details))
    return rows, problems


def _labels(value: Any) -> tuple[int, dict[str, str | None]]:
    """How harmful, and of the groups it is aimed at the first; `BadInput` where the list does not tell how harmful."""
    names = [str(one).strip().lower() for one in value] if isinstance(value, list) else []
    levels = [one for one in names if one in LEVELS]
    if len(levels) != 1:
        raise BadInput(f"the labels {value!r} hold not one of {', '.join(LEVELS)}")
    targets = [one for one in names if one not in LEVELS]
    details = {"raw_label": "|".join(names), "harm_level": levels[0], "target": targets[0] if targets else None}
    return LEVELS[levels[0]], details
