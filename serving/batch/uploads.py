"""What a visitor uploads to the Batch page, as shards: pictures, ZIPs of pictures, and tables with their captions."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

from models.errors import BadInput
from models.io.archives import is_picture
from serving.batch.items import Files, Ref, Shard, Slice, columns, refs_of
from serving.batch.plan import slices

MOST = 10_000  # memes; more belong to the command
TABLES = (".csv", ".parquet")
WHOLE = 1_000_000  # memes in a shard: nothing of a page's batch is written shard by shard


class Shelf:
    """Where the pictures of a batch lie: each in the folder under a name of its own, or inside a ZIP there."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[str, str]] = {}  # the name as given: root and path
        self._by_end: dict[str, str] = {}

    def put(self, name: str, root: str, path: str) -> None:
        """The first of two with the same name keeps it; the other gets a number."""
        called, number = name, 2
        while called in self.places:
            called, number = f"{name} ({number})", number + 1
        self.places[called] = (root, path)
        self._by_end.setdefault(PurePosixPath(called).name, called)

    def find(self, name: str) -> str | None:
        """What a table means by a name: the whole of it, else its last part."""
        plain = name.replace("\\", "/")
        if plain in self.places:
            return plain
        return self._by_end.get(PurePosixPath(plain).name) if "://" not in plain else None


def shards(folder: Path, given: Sequence[tuple[str, Path]]) -> list[Shard]:
    """`given`: each upload's name and where its bytes lie, below `folder`. Tables come first and in their order; pictures
    that no table names follow and are read by the OCR. Raises `BadInput` where there is nothing, or too much of it."""
    shelf = Shelf()
    for name, path in given:
        if name.lower().endswith(".zip"):
            for member in members(name, path):
                shelf.put(member, str(path), member)
        elif not name.lower().endswith(TABLES):
            shelf.put(name, str(folder), path.relative_to(folder).as_posix())
    wanted: list[tuple[str, Ref] | Slice] = []
    named: set[str] = set()
    for name, path in given:
        if name.lower().endswith(TABLES):
            for one in table(name, path):
                if isinstance(one, Slice):
                    wanted.append(one)
                    continue
                found = shelf.find(one.path) if one.path else None
                named.update([found] if found else [])
                root, inside = shelf.places[found] if found else (str(folder), one.path)
                wanted.append((root, Ref(one.name, inside, one.caption)))
    wanted += [(root, Ref(name, path)) for name, (root, path) in shelf.places.items() if name not in named]
    found_shards = list(together(wanted))
    count = sum(len(shard) for shard in found_shards)
    if not count:
        raise BadInput(
            "There is no meme in these files: give pictures, a ZIP of pictures, or a CSV or Parquet with words."
        )
    if count > MOST:
        raise BadInput(
            f"These are {count:,} memes, and the page takes {MOST:,}: give fewer, or run `python -m serving.batch`, "
            "which takes any number."
        )
    return found_shards


def members(name: str, path: Path) -> list[str]:
    """The pictures in a ZIP, in the order of their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = sorted(one for one in archive.namelist() if is_picture(one))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadInput("A ZIP is damaged and cannot be opened: pack it again.") from error
    if len(found) > MOST:
        raise BadInput(f"A ZIP holds {len(found):,} pictures, and the page takes {MOST:,}: give fewer at once.")
    return found


def table(name: str, path: Path) -> Iterator[Ref | Slice]:
    """The rows of a CSV, or of a Parquet that names its pictures; pieces of one that holds them."""
    if name.lower().endswith(".csv"):
        yield from refs_of(path.read_text(encoding="utf-8-sig", errors="replace"))
        return
    import pyarrow
    import pyarrow.parquet as pq

    pieces = list(slices([str(path)], WHOLE))
    file = pq.ParquetFile(path)
    called, image, caption = columns(file.schema_arrow.names)
    kind = file.schema_arrow.field(image).type if image is not None else pyarrow.string()
    if not pyarrow.types.is_string(kind) and not pyarrow.types.is_large_string(kind):
        yield from pieces
        return
    if sum(len(piece) for piece in pieces) > MOST:
        raise BadInput(f"The table has more rows than the {MOST:,} memes that the page takes: give fewer at once.")
    read = file.read(columns=[column for column in (called, image, caption) if column is not None]).to_pylist()
    for number, row in enumerate(read, 1):
        words = row.get(caption) if caption is not None else None
        at = row.get(image) if image is not None else None
        named = row.get(called) if called is not None else None
        yield Ref(str(named or at or f"row-{number}"), at or None, None if words is None else str(words))


def together(wanted: Sequence[tuple[str, Ref] | Slice]) -> Iterator[Shard]:
    """Neighbours with the same root in one shard: a ZIP is opened once for all of them."""
    number = 0
    for root, some in groupby(wanted, key=lambda one: None if isinstance(one, Slice) else one[0]):
        if root is None:
            for one in some:
                assert isinstance(one, Slice)
                yield one
                number += 1
            continue
        yield Files(number, root, tuple(one[1] for one in some if not isinstance(one, Slice)))
        number += 1
