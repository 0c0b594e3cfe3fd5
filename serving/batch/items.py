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
from typing import Any, Protocol

import fsspec

from models.errors import BadInput
from models.io.images import MOST_BYTES
from serving.work import Asked

IMAGE = ("image", "picture", "file", "filename", "file_name", "image_name", "path", "img")
CAPTION = ("caption", "text")
NAME = ("id", "name")


@dataclass(frozen=True)
class Item:
    """A meme of the batch; `error` is the sentence that says why there is nothing to judge."""

    name: str
    asked: Asked = field(default_factory=Asked)
    error: str = ""


class Shard(Protocol):
    """A part of the input, and its number in the whole."""

    @property
    def number(self) -> int: ...

    def __len__(self) -> int: ...

    def items(self) -> Iterator[Item]:
        """In order; an item that cannot be read carries its error."""
        ...


@dataclass(frozen=True)
class Ref:
    """A meme by address: `path` below the shard's root; `caption` None lets the OCR read the picture."""

    name: str
    path: str | None = None
    caption: str | None = None


@dataclass(frozen=True)
class Files:
    """Files below `root`, a folder's address or a ZIP's (ending in .zip)."""

    number: int
    root: str
    refs: tuple[Ref, ...]

    def __len__(self) -> int:
        return len(self.refs)

    def items(self) -> Iterator[Item]:
        fs, top = opened(self.root)
        for ref in self.refs:
            if ref.path is None:
                yield Item(ref.name, Asked(None, ref.caption))
                continue
            wrong = misplaced(ref.path)
            if wrong:
                yield Item(ref.name, error=wrong)
                continue
            try:
                with fs.open(f"{top}/{ref.path}" if top else ref.path, "rb") as file:
                    yield Item(ref.name, Asked(file.read(MOST_BYTES + 1), ref.caption))  # more are refused when opened
            except FileNotFoundError:
                yield Item(ref.name, error="There is no file of this name beside the table.")
            except Exception:  # a damaged archive, a lost connection, a file without permission
                yield Item(ref.name, error="The file cannot be read: check it and its permissions.")


@dataclass(frozen=True)
class Slice:
    """Rows `start` to `stop` of one row group of a Parquet file, pictures inside or beside it."""

    number: int
    address: str
    group: int
    start: int
    stop: int
    first: int  # the row's number in the whole file where the slice begins

    def __len__(self) -> int:
        return self.stop - self.start

    def items(self) -> Iterator[Item]:
        import pyarrow.parquet as pq

        fs, path = fsspec.core.url_to_fs(self.address)
        with fs.open(path, "rb") as file:
            whole = pq.ParquetFile(file)
            names = columns(whole.schema_arrow.names)
            table = whole.read_row_group(self.group, columns=[name for name in names if name is not None])
        rows = table.slice(self.start, len(self)).to_pylist()
        yield from (self._item(row, names, number) for number, row in enumerate(rows, self.first))

    def _item(self, row: dict[str, Any], names: tuple[str | None, str | None, str | None], number: int) -> Item:
        name, image, caption = (row.get(column) if column is not None else None for column in names)
        called = str(name) if name is not None else f"{PurePosixPath(self.address).stem}-{number}"
        words = None if caption is None else str(caption)
        if isinstance(image, dict):  # as `datasets` writes pictures
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str) and image:
            root = self.address.rpartition("/")[0] or "."
            return next(Files(0, root, (Ref(called, image, words),)).items())
        return Item(called, Asked(image if isinstance(image, bytes) and image else None, words))


def opened(root: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system below an address and the path to begin with; a ZIP is a file system of its own."""
    if root.lower().endswith(".zip"):
        return fsspec.filesystem("zip", fo=root), ""
    fs, path = fsspec.core.url_to_fs(root)
    return fs, path.rstrip("/")


def misplaced(path: str) -> str:
    """Why a table's address of a picture is not followed, or nothing."""
    if "://" in path or path.startswith("data:"):
        return "Addresses are never fetched: put the file beside the table and write its name."
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        return "The file lies outside the folder of the table: put it below that folder."
    return ""


def columns(names: Sequence[str]) -> tuple[str | None, str | None, str | None]:
    """The columns that hold name, picture and caption; raises `BadInput` where neither of the last two is there."""
    plain = {name.strip().lower(): name for name in names}

    def first(of: tuple[str, ...]) -> str | None:
        return next((plain[one] for one in of if one in plain), None)

    name, image, caption = first(NAME), first(IMAGE), first(CAPTION)
    if image is None and caption is None:
        raise BadInput(
            f"The table has no column for the picture ({', '.join(IMAGE[:3])}, ...) and none for the words "
            f"({' or '.join(CAPTION)}): name one of its columns so."
        )
    return name, image, caption


def refs_of(text: str) -> list[Ref]:
    """The rows of a CSV with a header; an empty caption beside a picture lets the OCR read it."""
    try:
        sample = text[:4096].splitlines()[0] if text.strip() else ""
        reader = csv.DictReader(
            io.StringIO(text, newline=""), delimiter=";" if sample.count(";") > sample.count(",") else ","
        )
        name, image, caption = columns(reader.fieldnames or ())
        found = []
        for number, row in enumerate(reader):
            path = (row.get(image) or "").strip() if image else ""
            words = row.get(caption) or "" if caption else ""
            called = (row.get(name) or "").strip() if name else ""
            given = words if words.strip() or not path else None
            found.append(Ref(called or path or f"row-{number + 1}", path or None, given))
        return found
    except csv.Error as error:
        raise BadInput(
            f"The CSV cannot be read ({error}): save it as UTF-8 with a header and commas between."
        ) from error
