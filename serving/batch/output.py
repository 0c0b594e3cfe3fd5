"""The output of a batch: a folder with one Parquet file for each shard, on any file system, so that an interrupted batch
can be continued; then all shards together as Parquet, CSV or JSON lines, if the user wants one file."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import IO, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import BadInput
from models.io.csv_files import csv_line
from models.io.flat_row import COLUMNS, Row
from serving.batch.files import is_local, write_whole

MANIFEST = "batch.json"
NUMBERS = ("probability", "logit", "harm")
FORMATS = ("parquet", "csv", "jsonl")


@dataclass(frozen=True)
class Output:
    """A folder by address. A shard's file appears complete or not at all, even if several workers write it."""

    address: str
    predictors: tuple[str, ...] = ()

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Make the folder, or continue in it. Raises `BadInput` if it holds a batch with another manifest."""
        try:
            fs, top = self._root()
        except (ImportError, ValueError) as error:
            raise BadInput(
                f"{self.address} cannot be written ({error}): s3:// and gs:// need requirements-ray.txt."
            ) from error
        if fs.exists(f"{top}/{MANIFEST}"):
            existing = json.loads(fs.cat_file(f"{top}/{MANIFEST}"))
            differing = sorted(key for key in manifest if existing.get(key) != manifest[key])
            if differing:
                changed = " Files of the input were changed since it began." if differing == ["content"] else ""
                raise BadInput(
                    f"{self.address} holds another batch (its {', '.join(differing)} differ): "
                    f"name another folder, or delete that one.{changed}"
                )
            return
        if fs.exists(top) and fs.find(top):
            raise BadInput(f"{self.address} is not empty and holds no batch: name another folder.")
        fs.makedirs(top, exist_ok=True)
        self._put(MANIFEST, json.dumps(dict(manifest), indent=1).encode())

    def done(self) -> set[int]:
        """The numbers of the shards that are written."""
        fs, top = self._root()
        names = (path.rpartition("/")[2] for path in fs.glob(f"{top}/part-*.parquet"))
        return {int(name[5:-8]) for name in names}

    def write(self, number: int, rows: Sequence[Row]) -> None:
        """One shard's rows."""
        buffer = io.BytesIO()
        pq.write_table(table(rows, self.predictors), buffer, compression="zstd")
        self._put(file_name(number), buffer.getvalue())

    def gather(self, numbers: Sequence[int], address: str, format_: str) -> int:
        """All shards into one file; returns the number of rows."""
        fs, top = self._root()

        def tables() -> Iterator[pa.Table]:
            for number in numbers:
                with fs.open(f"{top}/{file_name(number)}", "rb") as part:
                    yield pq.read_table(part)

        to_fs, path = fsspec.core.url_to_fs(address)
        return write_whole(to_fs, path, lambda file: write(tables(), format_, file, self.predictors))

    def remove(self) -> None:
        """Delete the folder, once its shards are gathered into one file."""
        fs, top = self._root()
        fs.rm(top, recursive=True)

    def _root(self) -> tuple[fsspec.AbstractFileSystem, str]:
        fs, top = fsspec.core.url_to_fs(self.address)
        return fs, top.rstrip("/")

    def _put(self, name: str, data: bytes) -> None:
        fs, top = self._root()
        if is_local(fs):
            write_whole(fs, f"{top}/{name}", lambda file: file.write(data))
        else:  # in one request, so that it appears whole
            fs.pipe_file(f"{top}/{name}", data)


def file_name(number: int) -> str:
    """The name of a shard's file."""
    return f"part-{number:06d}.parquet"


def table(rows: Iterable[Row], predictors: Sequence[str] = ()) -> pa.Table:
    """Rows as a table; a further predictor's column is empty where the row has an error."""
    plain = [{name: _encodable(value) for name, value in row.flat().items()} for row in rows]
    return pa.Table.from_pylist(plain, schema(predictors))


def _encodable(value: Any) -> Any:
    """Question marks for what UTF-8 cannot hold: a Linux file may have a name that is no text."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def schema(predictors: Sequence[str]) -> pa.Schema:
    """The columns and their types."""
    plain = [(name, pa.float64() if name in NUMBERS else pa.string()) for name in COLUMNS]
    return pa.schema([*plain, *((name.replace("-", "_"), pa.string()) for name in predictors)])


def to_bytes(format_: str, rows: Iterable[Row], predictors: Sequence[str] = ()) -> bytes:
    """Rows as the bytes of a file in one of `FORMATS`."""
    buffer = io.BytesIO()
    write([table(rows, predictors)], format_, buffer, predictors)
    return buffer.getvalue()


def write(tables: Iterable[pa.Table], format_: str, file: IO[bytes], predictors: Sequence[str] = ()) -> int:
    """All tables into one file; returns the number of rows. Only one table is in memory at a time."""
    count, columns = 0, schema(predictors)
    if format_ == "csv":
        file.write(csv_line(columns.names).encode())
    with pq.ParquetWriter(file, columns) if format_ == "parquet" else nullcontext() as writer:
        for batch in tables:
            count += batch.num_rows
            if writer is not None:
                writer.write_table(batch)
                continue
            for row in batch.to_pylist():
                line = csv_line(row.values()) if format_ == "csv" else json.dumps(row, ensure_ascii=False) + "\n"
                file.write(line.encode("utf-8", "replace"))
    return count
