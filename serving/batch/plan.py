"""The shards of an input: a folder, a ZIP, a CSV or Parquet (one file or a folder of them)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import fsspec

from models.errors import BadInput
from models.io.archives import is_picture
from serving.batch.items import Files, ParquetSlice, Ref, Shard, find_columns, open_root, read_csv

SHARD_SIZE = 512  # memes; at 20 a second this is half a minute, the most that a killed worker loses
MAX_CSV_BYTES = 1024**3  # bytes of a CSV; Parquet is read in pieces and may have any size


@dataclass(frozen=True)
class Plan:
    """All shards of an input."""

    shards: tuple[Shard, ...]

    @property
    def memes(self) -> int:
        """How many there are in all shards."""
        return sum(len(shard) for shard in self.shards)

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal, equal for the same input in the same order."""
        sha256 = hashlib.sha256()
        for shard in self.shards:
            sha256.update(repr(astuple(shard)).encode("utf-8", "surrogatepass"))  # type: ignore[call-overload]
        return sha256.hexdigest()


def plan(address: str, *, size: int = SHARD_SIZE) -> Plan:
    """The shards of `size` memes. Raises `BadInput` if there is nothing of that name or nothing to judge in it."""
    try:
        shards = tuple(_shards(address, size))
    except FileNotFoundError as error:
        raise BadInput(f"There is no {address}: check the name and the folder.") from error
    except (ImportError, ValueError) as error:  # fsspec does not know the protocol, or needs a package for it
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
        inside, _ = open_root(address)
        names = sorted(name for name in inside.find("") if is_picture(name))
        yield from split_refs(address, [Ref(name, name) for name in names], size)
    elif lower.endswith(".csv"):
        if fs.size(path) > MAX_CSV_BYTES:
            raise BadInput("A CSV of more than 1 GB is not read at once: write it as Parquet.")
        with fs.open(path, "r", encoding="utf-8-sig", errors="replace", newline="") as file:
            refs = read_csv(file.read())
        yield from split_refs(address.rpartition("/")[0] or ".", refs, size)
    elif lower.endswith(".parquet"):
        yield from parquet_slices([address], size)
    elif fs.isdir(path):
        names = sorted(name.removeprefix(path.rstrip("/") + "/") for name in fs.find(path))
        tables = [f"{address.rstrip('/')}/{name}" for name in names if name.lower().endswith(".parquet")]
        pictures = [Ref(name, name) for name in names if is_picture(name)]
        if tables and not pictures:
            yield from parquet_slices(tables, size)
        else:
            yield from split_refs(address, pictures, size)
    elif fs.exists(path):
        raise BadInput(f"{address} is none of the inputs: name a folder, a ZIP, a CSV or a Parquet file.")
    else:
        raise FileNotFoundError(address)


def split_refs(root: str, refs: Sequence[Ref], size: int) -> Iterator[Files]:
    """Shards of `size` references."""
    for number, start in enumerate(range(0, len(refs), size)):
        yield Files(number, root, tuple(refs[start : start + size]))


def parquet_slices(addresses: Sequence[str], size: int) -> Iterator[ParquetSlice]:
    """Shards of up to `size` rows of Parquet files, none across two row groups; only the footers are read here."""
    import pyarrow
    import pyarrow.parquet as pq

    number = 0
    for address in addresses:
        fs, path = fsspec.core.url_to_fs(address)
        with fs.open(path, "rb") as file:
            try:
                parquet = pq.ParquetFile(file)
            except pyarrow.ArrowInvalid as error:
                raise BadInput(f"{address} is no Parquet file: check it, or write it again.") from error
            find_columns(parquet.schema_arrow.names)
            first_row = 0
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                for start in range(0, rows, size):
                    yield ParquetSlice(number, address, group, start, min(start + size, rows), first_row + start)
                    number += 1
                first_row += rows
