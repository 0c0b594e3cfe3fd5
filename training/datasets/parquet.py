"""Parquet files in, `Row`s out: the published splits of a data set, and any file that somebody wants metrics for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import BadInput
from training.datasets.base import Row, data_folder

PUBLISHED_SPLITS = ("train", "validation")


def parquet_path(name: str, split: str, folder: str | Path | None = None) -> Path:
    """`NAME.SPLIT.parquet` in the data folder; `BadInput` names the path where it is missing."""
    if split not in PUBLISHED_SPLITS:
        raise BadInput(f"A data set has the splits train and validation, not {split!r}.")
    path = data_folder(folder) / f"{name}.{split}.parquet"
    if not path.is_file():
        raise BadInput(f"{path} is missing: put the file there, or name its folder with --data or in SUBTEXT_DATA.")
    return path


def read_file(
    path: str | Path,
    *,
    source: str | None = None,
    label: str | None = "label",
    identity: str = "id",
    details: Iterable[str] = (),
    required: Iterable[str] = (),
    limit: int | None = None,
) -> list[Row]:
    """The rows of one Parquet file, in its order. Columns that are not `required` may be missing, but not image and text both.

    `label` and `identity` are the columns of the label and of the row's name; `details` are taken as they are.

    Text that is null or blank becomes None, and so does a picture without bytes. Raises `BadInput` where the file cannot be
    read, lacks a required column, or has neither text nor pictures.
    """
    path = Path(path)
    require_file(path)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be read as a Parquet file: {error}.") from error
    source = source or path.name.split(".")[0]
    require_columns(path, table.column_names, required, source)
    if not {"image", "text"} & set(table.column_names):
        raise BadInput(f"{path} has neither a column image nor a column text, but {', '.join(table.column_names)}.")
    if limit is not None:
        table = table.slice(0, limit)

    def column(name: str | None) -> list[Any]:
        return table[name].to_pylist() if name in table.column_names else [None] * table.num_rows

    detail_columns = {name: column(name) for name in details if name in table.column_names}
    return [
        Row(
            source=source,
            id=str(number if name is None else name),
            text=text if text and text.strip() else None,
            image=picture_bytes(image),
            label=_label(label_value),
            group="" if group is None else str(group),
            details={key: values[number] for key, values in detail_columns.items()},
            row_number=number,
        )
        for number, (name, text, image, label_value, group) in enumerate(
            zip(column(identity), column("text"), column("image"), column(label), column("group"), strict=True)
        )
    ]


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


def _label(value: Any) -> Any:
    """A list becomes a tuple; 0.0 and True, which other tools write for 0 and 1, become whole numbers; NaN is missing."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, float) and math.isnan(value):
        return None  # what pandas writes for a missing number
    return int(value) if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()) else value


def picture_bytes(value: Any) -> bytes | None:
    """The bytes of a picture; Hugging Face's own files have them in a struct `{bytes, path}`."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return value or None
