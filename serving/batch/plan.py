"""From what the user names to shards: a folder, a ZIP, a CSV or Parquet (one file or a folder of them)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import fsspec

from models.errors import BadInput
from models.io.archives import is_picture
from serving.batch.items import Files, Ref, Shard, Slice, columns, opened, refs_of

SHARD = 512  # memes; at 20 a second a shard takes half a minute, which is what a killed worker loses at most
MOST_TABLE = 1024**3  # bytes of a CSV; Parquet is read in pieces and may have any size


@dataclass(frozen=True)
class Plan:
    """All shards of an input. `digest` tells whether another plan is for the same input in the same order."""

    shards: tuple[Shard, ...]

    @property
    def memes(self) -> int:
        return sum(len(shard) for shard in self.shards)

    @property
    def digest(self) -> str:
        told = hashlib.sha256()
        for shard in self.shards:
            told.update(repr(astuple(shard)).encode("utf-8", "surrogatepass"))  # type: ignore[call-overload]
        return told.hexdigest()


def plan(address: str, *, size: int = SHARD) -> Plan:
    """Raises `BadInput` where there is nothing of that name or nothing to judge in it."""
    try:
        shards = tuple(_shards(address, size))
    except FileNotFoundError as error:
        raise BadInput(f"There is no {address}: check the name and the folder.") from error
    except (
        ImportError,
        ValueError,
    ) as error:  # an address of a kind that fsspec does not know, or not without a package
        raise BadInput(f"{address} cannot be read ({error}): s3:// and gs:// need requirements-ray.txt.") from error
    if not shards:
        raise BadInput(
            f"{address} holds nothing to judge: name a folder or ZIP of pictures (.png, .jpg, .webp, .gif, .bmp), "
            "a CSV or a Parquet file."
        )
    return Plan(shards)


def _shards(address: str, size: int) -> Iterator[Shard]:
    lower = address.lower()
    fs, path = fsspec.core.url_to_fs(address)
    if lower.endswith(".zip"):
        inside, _ = opened(address)
        names = sorted(name for name in inside.find("") if is_picture(name))
        yield from in_shards(address, [Ref(name, name) for name in names], size)
    elif lower.endswith(".csv"):
        if fs.size(path) > MOST_TABLE:
            raise BadInput("A CSV of more than 1 GB is not read at once: write it as Parquet.")
        with fs.open(path, "r", encoding="utf-8-sig", errors="replace", newline="") as file:
            refs = refs_of(file.read())
        yield from in_shards(address.rpartition("/")[0] or ".", refs, size)
    elif lower.endswith(".parquet"):
        yield from slices([address], size)
    elif fs.isdir(path):
        found = sorted(name.removeprefix(path.rstrip("/") + "/") for name in fs.find(path))
        tables = [f"{address.rstrip('/')}/{name}" for name in found if name.lower().endswith(".parquet")]
        pictures = [Ref(name, name) for name in found if is_picture(name)]
        if tables and not pictures:
            yield from slices(tables, size)
        else:
            yield from in_shards(address, pictures, size)
    elif fs.exists(path):
        raise BadInput(f"{address} is none of the inputs: name a folder, a ZIP, a CSV or a Parquet file.")
    else:
        raise FileNotFoundError(address)


def in_shards(root: str, refs: Sequence[Ref], size: int) -> Iterator[Files]:
    """Refs in pieces of `size`."""
    for number, start in enumerate(range(0, len(refs), size)):
        yield Files(number, root, tuple(refs[start : start + size]))


def slices(addresses: Sequence[str], size: int) -> Iterator[Slice]:
    """The row groups of Parquet files in pieces of `size`; only their footers are read here."""
    import pyarrow
    import pyarrow.parquet as pq

    number = 0
    for address in addresses:
        fs, path = fsspec.core.url_to_fs(address)
        with fs.open(path, "rb") as file:
            try:
                whole = pq.ParquetFile(file)
            except pyarrow.ArrowInvalid as error:
                raise BadInput(f"{address} is no Parquet file: check it, or write it again.") from error
            columns(whole.schema_arrow.names)
            first = 0
            for group in range(whole.num_row_groups):
                rows = whole.metadata.row_group(group).num_rows
                for start in range(0, rows, size):
                    yield Slice(number, address, group, start, min(start + size, rows), first + start)
                    number += 1
                first += rows
