"""The uploads of the Batch page's visitor as shards: pictures, ZIPs of pictures, and tables with their captions."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

from models.errors import BadInput
from models.io.archives import is_picture
from serving.batch.items import Files, ParquetSlice, Ref, Shard, find_columns, read_csv
from serving.batch.plan import parquet_slices

MAX_MEMES = 10_000  # larger inputs belong to the command
TABLES = (".csv", ".parquet")
ROWS_PER_SHARD = 1_000_000  # nothing of a page's batch is written shard by shard
Located = tuple[str, Ref]  # a root (see `Files`) and a reference below it


class PictureIndex:
    """The pictures of a batch by name: each is a file of the upload folder or inside a ZIP there."""

    def __init__(self) -> None:
        self.locations: dict[str, tuple[str, str]] = {}  # name: root and path
        self._by_basename: dict[str, str] = {}

    def add(self, name: str, root: str, path: str) -> None:
        """The first of two pictures with the same name has it; the second gets a number."""
        unique, number = name, 2
        while unique in self.locations:
            unique, number = f"{name} ({number})", number + 1
        self.locations[unique] = (root, path)
        self._by_basename.setdefault(PurePosixPath(unique).name, unique)

    def find(self, path: str) -> str | None:
        """The picture that a table means by a path: the one of that name, else the one with its last component."""
        path = path.replace("\\", "/")
        if path in self.locations:
            return path
        return self._by_basename.get(PurePosixPath(path).name) if "://" not in path else None


def shards(folder: Path, uploads: Sequence[tuple[str, Path]]) -> list[Shard]:
    """The shards of uploads: the name of each and the path of its bytes, below `folder`.

    Tables come first and in their order. Pictures that no table names follow and are read by the OCR. Raises `BadInput`
    if there is nothing, or too much of it.
    """
    pictures = PictureIndex()
    for name, path in uploads:
        if name.lower().endswith(".zip"):
            for member in zip_pictures(path):
                pictures.add(member, str(path), member)
        elif not name.lower().endswith(TABLES):
            pictures.add(name, str(folder), path.relative_to(folder).as_posix())
    entries: list[Located | ParquetSlice] = []
    in_tables: set[str | None] = set()
    for name, path in uploads:
        if not name.lower().endswith(TABLES):
            continue
        for row in read_table(name, path):
            if isinstance(row, ParquetSlice):
                entries.append(row)
                continue
            picture = pictures.find(row.path) if row.path else None
            in_tables.add(picture)
            root, inside = pictures.locations[picture] if picture else (str(folder), row.path)
            entries.append((root, Ref(row.name, inside, row.caption)))
    rest = ((name, location) for name, location in pictures.locations.items() if name not in in_tables)
    entries += [(root, Ref(name, path)) for name, (root, path) in rest]
    grouped = group_by_root(entries)
    count = sum(len(shard) for shard in grouped)
    if not count:
        raise BadInput(
            "There is no meme in these files: give pictures, a ZIP of pictures, or a CSV or Parquet with words."
        )
    if count > MAX_MEMES:
        raise BadInput(
            f"These are {count:,} memes, and the page takes {MAX_MEMES:,}: give fewer, or run `python -m serving.batch`, "
            "which takes any number."
        )
    return grouped


def zip_pictures(path: Path) -> list[str]:
    """The pictures in a ZIP, in the order of their names. Raises `BadInput`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(filter(is_picture, archive.namelist()))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadInput("A ZIP is damaged and cannot be opened: pack it again.") from error
    if len(names) > MAX_MEMES:
        raise BadInput(f"A ZIP holds {len(names):,} pictures, and the page takes {MAX_MEMES:,}: give fewer at once.")
    return names


def read_table(name: str, path: Path) -> Iterator[Ref | ParquetSlice]:
    """The rows of a CSV, or of a Parquet that names its pictures; slices of a Parquet that holds them."""
    if name.lower().endswith(".csv"):
        yield from read_csv(path.read_text(encoding="utf-8-sig", errors="replace"))
        return
    import pyarrow
    import pyarrow.parquet as pq

    slices = list(parquet_slices([str(path)], ROWS_PER_SHARD))
    file = pq.ParquetFile(path)
    columns = find_columns(file.schema_arrow.names)
    kind = file.schema_arrow.field(columns.image).type if columns.image is not None else pyarrow.string()
    if not pyarrow.types.is_string(kind) and not pyarrow.types.is_large_string(kind):
        yield from slices
        return
    if sum(map(len, slices)) > MAX_MEMES:
        raise BadInput(f"The table has more rows than the {MAX_MEMES:,} memes that the page takes: give fewer at once.")
    rows = file.read(columns=[column for column in columns if column is not None]).to_pylist()
    for number, (row_name, image, caption) in enumerate(map(columns.select, rows), 1):
        yield Ref(str(row_name or image or f"row-{number}"), image or None, None if caption is None else str(caption))


def group_by_root(entries: Sequence[Located | ParquetSlice]) -> list[Shard]:
    """Neighbours with the same root in one shard, so that a ZIP is opened once for all of them."""
    shards: list[Shard] = []
    for root, group in groupby(entries, key=lambda entry: None if isinstance(entry, ParquetSlice) else entry[0]):
        members = list(group)
        shards += [entry for entry in members if isinstance(entry, ParquetSlice)]
        if root is not None:
            shards.append(Files(len(shards), root, tuple(entry[1] for entry in members if isinstance(entry, tuple))))
    return shards
