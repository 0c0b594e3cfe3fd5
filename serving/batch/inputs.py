"""The input of a batch: items (a name with a picture, a caption or both) in shards that are read one by one.

A shard holds addresses, not pictures, so that millions of them can be planned and sent to other machines. Its items
are read where it is worked on, through fsspec: from a local disk, a ZIP, S3 or GCS.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Any

import fsspec

from models.errors import BadInput
from models.io import parquet
from models.io.archives import is_picture
from models.io.column_names import IMAGE_COLUMNS, TEXT_COLUMNS
from models.io.images import MAX_BYTES
from models.io.tables import Budget, csv_rows
from serving.work import MemeInput

SHARD_SIZE = 512  # memes; at 20 a second this is half a minute, the most that a killed worker loses
MAX_CSV_BYTES = 1024**3  # bytes of a CSV; Parquet is read in pieces and may have any size
# The names of the columns that hold each part of a meme; of several in one table, the first is used.
COLUMNS = {"name": ("id", "name"), "image": IMAGE_COLUMNS, "caption": TEXT_COLUMNS}


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
            try:
                data = None if ref.path is None else read_file(fs, top, ref.path)
                item = Item(ref.name, MemeInput(data, ref.caption))
            except BadInput as error:
                item = Item(ref.name, error=str(error))
            yield item


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
        fs, path = fsspec.core.url_to_fs(self.address)
        with fs.open(path, "rb") as file:
            table = parquet.open_parquet(file, self.address)
            columns = find_columns(table.schema_arrow.names)
            rows = parquet.rows(table, list(columns), self.group, start=self.start, stop=self.stop)
            for number, row in enumerate(rows, self.first_row):
                yield self._item(number, **by_role(row, columns))

    def _item(self, number: int, name: Any = None, image: Any = None, caption: Any = None) -> Item:
        name = str(name) if name is not None else f"{PurePosixPath(self.address).stem}-{number}"
        caption = None if caption is None else str(caption)
        if isinstance(image, dict):  # as `datasets` writes pictures
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str) and image:
            return next(Files(0, folder_of(self.address), (Ref(name, image, caption),)).items())
        return Item(name, MemeInput(image if isinstance(image, bytes) and image else None, caption))


Shard = Files | ParquetSlice


def plan(address: str, *, size: int = SHARD_SIZE) -> list[Shard]:
    """The shards of `size` memes of a folder, a ZIP, a CSV or Parquet (one file or a folder of them).

    Raises `BadInput` if there is nothing of that name or nothing to judge in it.
    """
    try:
        shards = list(_shards(address, size))
    except FileNotFoundError as error:
        raise BadInput(f"There is no {address}: check the name and the folder.") from error
    except (ImportError, ValueError) as error:  # fsspec does not know the protocol, or needs a package for it
        raise BadInput(f"{address} cannot be read ({error}): s3:// and gs:// need requirements-ray.txt.") from error
    if not shards:
        raise BadInput(
            f"{address} holds nothing to judge: name a folder or ZIP of pictures (.png, .jpg, .webp, .gif, .bmp), "
            "a CSV or a Parquet file."
        )
    return shards


def _shards(address: str, size: int) -> Iterator[Shard]:
    lower = address.lower()
    fs, path = fsspec.core.url_to_fs(address)
    if lower.endswith(".zip"):
        yield from picture_files(address, open_root(address)[0].find(""), size)
    elif lower.endswith(".csv"):
        if fs.size(path) > MAX_CSV_BYTES:
            raise BadInput("A CSV of more than 1 GB is not read at once: write it as Parquet.")
        with fs.open(path, "rb") as file:
            yield from split_refs(folder_of(address), read_csv(file), size)
    elif lower.endswith(".parquet"):
        yield from parquet_slices([address], size)
    elif fs.isdir(path):
        names = sorted(name.removeprefix(path.rstrip("/") + "/") for name in fs.find(path))
        tables = [f"{address.rstrip('/')}/{name}" for name in names if name.lower().endswith(".parquet")]
        if tables and not any(map(is_picture, names)):
            yield from parquet_slices(tables, size)
        else:
            yield from picture_files(address, names, size)
    elif fs.exists(path):
        raise BadInput(f"{address} is none of the inputs: name a folder, a ZIP, a CSV or a Parquet file.")
    else:
        raise FileNotFoundError(address)


def picture_files(root: str, names: Iterable[str], size: int) -> Iterator[Files]:
    """Shards of the pictures among these names, in their order."""
    return split_refs(root, (Ref(name, name) for name in sorted(names) if is_picture(name)), size)


def split_refs(root: str, refs: Iterable[Ref], size: int) -> Iterator[Files]:
    """Shards of `size` references."""
    remaining = iter(refs)
    parts = iter(lambda: tuple(islice(remaining, size)), ())
    return (Files(number, root, part) for number, part in enumerate(parts))


def parquet_slices(addresses: Sequence[str], size: int) -> Iterator[ParquetSlice]:
    """Shards of up to `size` rows of Parquet files, none across two row groups; only the footers are read here."""
    number = 0
    for address in addresses:
        fs, path = fsspec.core.url_to_fs(address)
        with fs.open(path, "rb") as file:
            table = parquet.open_parquet(file, address)
            find_columns(table.schema_arrow.names)
            first_row = 0
            for group in range(table.num_row_groups):
                rows = table.metadata.row_group(group).num_rows
                for start in range(0, rows, size):
                    yield ParquetSlice(number, address, group, start, min(start + size, rows), first_row + start)
                    number += 1
                first_row += rows


def open_root(root: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of an address and the path to begin with; a ZIP is a file system of its own."""
    if root.lower().endswith(".zip"):
        return fsspec.filesystem("zip", fo=root), ""
    fs, path = fsspec.core.url_to_fs(root)
    return fs, path.rstrip("/")


def folder_of(address: str) -> str:
    """The address of the folder that holds a table."""
    return address.rpartition("/")[0] or "."


def relative_path(path: str) -> PurePosixPath:
    """The path that a table names, without its folder. Raises `BadInput` for an address or a path out of the folder."""
    if "://" in path or path.startswith("data:"):
        raise BadInput("Addresses are never fetched: put the file beside the table and write its name.")
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or any(":" in part for part in parts.parts[:1]):
        raise BadInput("The file lies outside the folder of the table: put it below that folder.")
    return PurePosixPath(path)


def read_file(fs: fsspec.AbstractFileSystem, top: str, path: str) -> bytes:
    """The bytes of a picture that a table names. Raises `BadInput` for an address that is not followed or cannot be read."""
    inside = relative_path(path)
    try:
        with fs.open(f"{top}/{inside}" if top else str(inside), "rb") as file:
            data: bytes = file.read(MAX_BYTES + 1)  # more are refused when the picture is opened
            return data
    except FileNotFoundError:
        raise BadInput("There is no file of this name beside the table.") from None
    except Exception as error:  # a damaged archive, a lost connection, a file without permission
        raise BadInput("The file cannot be read: check it and its permissions.") from error


def find_columns(names: Iterable[str]) -> dict[str, str]:
    """The columns of a table that are used: name to role (`name`, `image`, `caption`), at most one each.

    Raises `BadInput` if there is none for the picture and none for the words.
    """
    by_lower = {name.strip().lower(): name for name in names}
    matches = ((role, [name for name in candidates if name in by_lower]) for role, candidates in COLUMNS.items())
    columns = {by_lower[candidates[0]]: role for role, candidates in matches if candidates}
    if not {"image", "caption"} & set(columns.values()):
        raise BadInput(
            f"The table has no column for the picture ({', '.join(IMAGE_COLUMNS[:3])}, ...) and none for the words "
            f"({' or '.join(TEXT_COLUMNS)}): name one of its columns so."
        )
    return columns


def by_role(row: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    """A row's values by role, for the roles that the table has."""
    return {role: row[name] for name, role in columns.items()}


def read_csv(file: IO[bytes], budget: Budget | None = None) -> Iterator[Ref]:
    """The rows of a CSV with a header; an empty caption beside a picture lets the OCR read it. Raises `BadInput`."""
    rows = csv_rows(file, budget or Budget(), errors="replace")
    columns = find_columns(next(rows))
    for number, row in enumerate(rows, 1):
        values = by_role(row, columns)
        name, path, caption = (values.get(role) or "" for role in COLUMNS)
        name, path = name.strip(), path.strip()
        yield Ref(name or path or f"row-{number}", path or None, caption if caption.strip() or not path else None)
