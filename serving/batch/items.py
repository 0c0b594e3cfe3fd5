"""What a batch is made of: items (a name with a picture, a caption or both) in shards that are read one by one.

A shard holds addresses, not pictures, so that millions of them can be planned and sent to other machines. Its items
are read where it is worked on, through fsspec: from a local disk, a ZIP, S3 or GCS.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import fsspec

from models.errors import BadInput
from models.io.images import MAX_BYTES
from serving.work import MemeInput

NAME_COLUMNS = ("id", "name")
IMAGE_COLUMNS = ("image", "picture", "file", "filename", "file_name", "image_name", "path", "img")
CAPTION_COLUMNS = ("caption", "text")


@dataclass(frozen=True)
class Item:
    """A meme of the batch; `error` is the sentence that says why there is nothing to judge."""

    name: str
    meme: MemeInput = field(default_factory=MemeInput)
    error: str = ""


@dataclass(frozen=True)
class Ref:
    """A meme by address: `path` below the shard's root; `caption` None lets the OCR read the picture."""

    name: str
    path: str | None = None
    caption: str | None = None


@dataclass(frozen=True)
class Files:
    """Files below `root`, the address of a folder or of a ZIP (ending in .zip). `number` counts the shards from 0."""

    number: int
    root: str
    refs: tuple[Ref, ...]

    def __len__(self) -> int:
        return len(self.refs)

    def items(self) -> Iterator[Item]:
        """In order; an item that cannot be read carries its error."""
        fs, top = open_root(self.root)
        for ref in self.refs:
            if ref.path is None:
                yield Item(ref.name, MemeInput(None, ref.caption))
                continue
            error = path_error(ref.path)
            if error:
                yield Item(ref.name, error=error)
                continue
            try:
                with fs.open(f"{top}/{ref.path}" if top else ref.path, "rb") as file:
                    data = file.read(MAX_BYTES + 1)  # more are refused when the picture is opened
            except FileNotFoundError:
                yield Item(ref.name, error="There is no file of this name beside the table.")
            except Exception:  # a damaged archive, a lost connection, a file without permission
                yield Item(ref.name, error="The file cannot be read: check it and its permissions.")
            else:
                yield Item(ref.name, MemeInput(data, ref.caption))


@dataclass(frozen=True)
class ParquetSlice:
    """Rows `start` to `stop` of one row group of a Parquet file, pictures inside or beside it."""

    number: int
    address: str
    group: int
    start: int
    stop: int
    first_row: int  # of the slice, counted from the start of the file

    def __len__(self) -> int:
        return self.stop - self.start

    def items(self) -> Iterator[Item]:
        """In order; an item that cannot be read carries its error."""
        import pyarrow.parquet as pq

        fs, path = fsspec.core.url_to_fs(self.address)
        with fs.open(path, "rb") as file:
            parquet = pq.ParquetFile(file)
            columns = find_columns(parquet.schema_arrow.names)
            table = parquet.read_row_group(self.group, columns=[name for name in columns if name is not None])
        rows = table.slice(self.start, len(self)).to_pylist()
        yield from (self._item(columns.select(row), number) for number, row in enumerate(rows, self.first_row))

    def _item(self, values: tuple[Any, Any, Any], number: int) -> Item:
        name, image, caption = values
        name = str(name) if name is not None else f"{PurePosixPath(self.address).stem}-{number}"
        caption = None if caption is None else str(caption)
        if isinstance(image, dict):  # as `datasets` writes pictures
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str) and image:
            root = self.address.rpartition("/")[0] or "."
            return next(Files(0, root, (Ref(name, image, caption),)).items())
        return Item(name, MemeInput(image if isinstance(image, bytes) and image else None, caption))


Shard = Files | ParquetSlice


class Columns(NamedTuple):
    """The names of a table's columns; None where it has no such column."""

    name: str | None
    image: str | None
    caption: str | None

    def select(self, row: dict[str, Any]) -> tuple[Any, Any, Any]:
        """The row's name, image and caption; None where the table has no such column."""
        name, image, caption = (row.get(column) if column is not None else None for column in self)
        return name, image, caption


def open_root(root: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of an address and the path to begin with; a ZIP is a file system of its own."""
    if root.lower().endswith(".zip"):
        return fsspec.filesystem("zip", fo=root), ""
    fs, path = fsspec.core.url_to_fs(root)
    return fs, path.rstrip("/")


def path_error(path: str) -> str:
    """Why a table's address of a picture is not followed, "" if it is."""
    if "://" in path or path.startswith("data:"):
        return "Addresses are never fetched: put the file beside the table and write its name."
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        return "The file lies outside the folder of the table: put it below that folder."
    return ""


def find_columns(names: Sequence[str]) -> Columns:
    """The columns that hold name, picture and caption. Raises `BadInput` if both of the last two are missing."""
    by_lower = {name.strip().lower(): name for name in names}
    columns = Columns(
        *(
            next((by_lower[candidate] for candidate in candidates if candidate in by_lower), None)
            for candidates in (NAME_COLUMNS, IMAGE_COLUMNS, CAPTION_COLUMNS)
        )
    )
    if columns.image is None and columns.caption is None:
        raise BadInput(
            f"The table has no column for the picture ({', '.join(IMAGE_COLUMNS[:3])}, ...) and none for the words "
            f"({' or '.join(CAPTION_COLUMNS)}): name one of its columns so."
        )
    return columns


def read_csv(text: str) -> list[Ref]:
    """The rows of a CSV with a header; an empty caption beside a picture lets the OCR read it. Raises `BadInput`."""
    header = text[:4096].splitlines()[0] if text.strip() else ""
    delimiter = ";" if header.count(";") > header.count(",") else ","
    refs = []
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        columns = find_columns(reader.fieldnames or ())
        for number, row in enumerate(reader, 1):
            name, path, caption = (value or "" for value in columns.select(row))
            name, path = name.strip(), path.strip()
            refs.append(
                Ref(name or path or f"row-{number}", path or None, caption if caption.strip() or not path else None)
            )
    except csv.Error as error:
        raise BadInput(
            f"The CSV cannot be read ({error}): save it as UTF-8 with a header and commas between."
        ) from error
    return refs
