"""Parquet files in, `Row`s out: the published parts of a data set, and any file somebody wants figures for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import BadInput
from training.datasets.base import Row
from training.datasets.folder import data_folder

PARTS = ("train", "validation")


def part_path(name: str, part: str, folder: str | Path | None = None) -> Path:
    """`NAME.PART.parquet` in the data folder; `BadInput` names the path where it is missing."""
    if part not in PARTS:
        raise BadInput(f"A data set has the parts train and validation, not {part!r}.")
    path = data_folder(folder) / f"{name}.{part}.parquet"
    if not path.is_file():
        raise BadInput(f"{path} is missing: put the file there, or name its folder with --data or in SUBTEXT_DATA.")
    return path


def read_part(name: str, part: str, folder: str | Path | None = None, **named: Any) -> list[Row]:
    """The rows of one part of a published set; `named` as in `read_file`."""
    return read_file(part_path(name, part, folder), source=name, **named)


def read_file(
    path: str | Path,
    *,
    source: str | None = None,
    label: str | None = "label",
    identity: str = "id",
    details: Iterable[str] = (),
    needed: Iterable[str] = (),
    limit: int | None = None,
) -> list[Row]:
    """The rows of one Parquet file, in its order. Columns that are not `needed` may be missing, but not image and text both.

    `label` and `identity` are the columns of the label and of the row's name; `details` are kept as they are.

    Words that are null or blank become None, so do pictures without bytes. Raises `BadInput` where the file cannot be
    read, lacks a column that is needed, or has neither words nor pictures.
    """
    path = Path(path)
    present(path)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be read as a Parquet file: {error}.") from error
    source = source or path.name.split(".")[0]
    require(path, table.column_names, needed, source)
    if not {"image", "text"} & set(table.column_names):
        raise BadInput(f"{path} has neither a column image nor a column text, but {', '.join(table.column_names)}.")
    if limit is not None:
        table = table.slice(0, limit)

    def column(name: str | None) -> list[Any]:
        return table[name].to_pylist() if name in table.column_names else [None] * table.num_rows

    extras = {name: column(name) for name in details if name in table.column_names}
    labels = labels_of(column(label))
    return [
        Row(
            source=source,
            id=str(number if name is None else name),
            text=text if text and text.strip() else None,
            image=picture_bytes(image),
            label=answer,
            group="" if group is None else str(group),
            details={key: values[number] for key, values in extras.items()},
            place=number,
        )
        for number, (name, text, image, answer, group) in enumerate(
            zip(column(identity), column("text"), column("image"), labels, column("group"), strict=True)
        )
    ]


def present(path: Path) -> None:
    """`BadInput` where somebody named a file that is not there."""
    if not path.exists():
        raise BadInput(f"There is no file {path}: check its name and its folder.")


def require(path: str | Path, have: Sequence[str], needed: Iterable[str], who: str) -> None:
    """`BadInput` names the file, the columns that `who` needs and it lacks, and those that it has."""
    lacking = [name for name in needed if name not in have]
    if lacking:
        told = f"{'column' if len(lacking) == 1 else 'columns'} {', '.join(map(repr, lacking))}"
        raise BadInput(f"{path} has no {told}, which {who} needs: it has {', '.join(map(repr, have)) or 'none'}.")


def labels_of(values: list[Any]) -> list[Any]:
    """Lists become tuples; 0.0 and True, which other tools write for 0 and 1, become whole numbers."""
    return [tuple(v) if isinstance(v, list) else _whole(v) for v in values]


def _whole(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None  # what pandas writes for a missing number
    return int(value) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else value


def picture_bytes(value: Any) -> bytes | None:
    """The bytes of a picture; Hugging Face's own files keep them in a struct `{bytes, path}`."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return value or None
