"""What visitors of the page upload, as shards: pictures, ZIPs of pictures, and tables with captions or pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from models.errors import BadInput
from models.io import parquet
from models.io.archives import is_picture, open_zip
from models.io.tables import Budget
from serving.batch import inputs
from serving.batch.inputs import Files, ParquetSlice, Ref, Shard

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

MAX_MEMES = 10_000  # larger inputs belong to the command
MAX_TABLE_CHARACTERS = 16_000_000  # of one batch's tables together, 1,600 a meme
ROWS_PER_SHARD = 1_000_000  # nothing of a page's batch is written shard by shard
TABLES = (".csv", ".parquet")
ADVICE = "give fewer at once, or run `python -m serving.batch`, which takes any number"


def upload_shards(folder: Path, uploads: Sequence[tuple[str, Path]]) -> list[Shard]:
    """The shards of uploads: the name of each and the path of its bytes, below `folder`.

    Tables come first and in their order; each of their rows means the picture of that name, else the one whose last component
    it is. Pictures that no table names follow and are read by the OCR. Raises `BadInput` if there is nothing, or too much.
    """
    tables = [(name, path) for name, path in uploads if name.lower().endswith(TABLES)]
    pictures = uploaded_pictures(folder, [upload for upload in uploads if upload not in tables])
    by_basename = {PurePosixPath(name).name: name for name in reversed(pictures)}
    entries: list[Shard] = []
    in_tables: set[str | None] = set()
    budget = Budget(MAX_MEMES, MAX_TABLE_CHARACTERS, ADVICE)
    for row in chain.from_iterable(read_table(name, path, budget) for name, path in tables):
        if isinstance(row, ParquetSlice):
            entries.append(row)
            continue
        name = (row.path or "").replace("\\", "/")
        if name not in pictures and "://" not in name:
            name = by_basename.get(PurePosixPath(name).name, "")
        in_tables.add(name)
        root, path = pictures.get(name, (str(folder), row.path))
        entries.append(Files(0, root, (Ref(row.name, path, row.caption),)))
    rest = ((name, location) for name, location in pictures.items() if name not in in_tables)
    entries += [Files(0, root, (Ref(name, path),)) for name, (root, path) in rest]
    merged = merge_neighbours(entries)
    count = sum(len(shard) for shard in merged)
    if not count:
        raise BadInput(
            "There is no meme in these files: give pictures, a ZIP of pictures, or a CSV or Parquet with words."
        )
    _refuse_too_many(count)
    return merged


def _refuse_too_many(memes: int) -> None:
    if memes > MAX_MEMES:
        raise BadInput(f"These are {memes:,} memes, and the page takes {MAX_MEMES:,}: {ADVICE}.")


def uploaded_pictures(folder: Path, uploads: Sequence[tuple[str, Path]]) -> dict[str, tuple[str, str | None]]:
    """Root and path (see `Files`) of each picture, a file of the folder or inside a ZIP there, by a name of its own: the first
    of two with the same name has it; the second gets a number."""
    locations: dict[str, tuple[str, str | None]] = {}
    counts: Counter[str] = Counter()
    for name, path in uploads:
        members = zip_pictures(path) if name.lower().endswith(".zip") else None
        for picture in (name,) if members is None else members:
            unique = picture
            while unique in locations:
                counts[picture] += 1
                unique = f"{picture} ({counts[picture] + 1})"
            locations[unique] = (str(folder), path.name) if members is None else (str(path), picture)
        _refuse_too_many(len(locations))
    return locations


def zip_pictures(path: Path) -> list[str]:
    """The pictures in a ZIP, in the order of their names. Raises `BadInput`."""
    with path.open("rb") as file, open_zip(file) as archive:
        names = sorted(filter(is_picture, archive.namelist()))
    if len(names) > MAX_MEMES:
        raise BadInput(f"A ZIP holds {len(names):,} pictures, and the page takes {MAX_MEMES:,}: give fewer at once.")
    return names


def read_table(name: str, path: Path, budget: Budget) -> Iterator[Ref | ParquetSlice]:
    """The rows of a CSV, or of a Parquet that names its pictures; slices of a Parquet that holds them.

    Raises `BadInput` as soon as it holds more than the budget, or would unpack to too much.
    """
    with path.open("rb") as file:
        if name.lower().endswith(".csv"):
            yield from inputs.read_csv(file, budget)
            return
        table = parquet.open_parquet(file, PurePosixPath(name).name)
        columns = inputs.find_columns(table.schema_arrow.names)
        parquet.check(file, table, list(columns))
        names_pictures = all(kind in ("string", "large_string") for kind in _image_kinds(table, columns))
        plain = [column for column, role in columns.items() if role != "image" or names_pictures]
        groups = (parquet.rows(table, plain, group) for group in range(table.num_row_groups))
        for number, row in enumerate(chain.from_iterable(groups), 1):
            budget.spend(rows=1, characters=sum(len(value) for value in row.values() if isinstance(value, str | bytes)))
            if names_pictures:
                yield _parquet_ref(number, **inputs.by_role(row, columns))
    if not names_pictures:
        yield from inputs.parquet_slices([str(path)], ROWS_PER_SHARD)


def _image_kinds(table: ParquetFile, columns: Mapping[str, str]) -> list[str]:
    """The type of the column with the pictures, if there is one."""
    return [str(table.schema_arrow.field(name).type) for name, role in columns.items() if role == "image"]


def _parquet_ref(number: int, name: object = None, image: str | None = None, caption: object = None) -> Ref:
    """A row of a Parquet that names its pictures."""
    return Ref(str(name or image or f"row-{number}"), image or None, None if caption is None else str(caption))


def merge_neighbours(shards: Sequence[Shard]) -> list[Shard]:
    """Neighbours with the same root in one shard, so that a ZIP is opened once for all of them."""
    merged: list[Shard] = []
    for root, group in groupby(shards, key=lambda shard: shard.root if isinstance(shard, Files) else None):
        if root is None:
            merged += group
        else:
            refs = tuple(ref for shard in group if isinstance(shard, Files) for ref in shard.refs)
            merged.append(Files(len(merged), root, refs))
    return merged
