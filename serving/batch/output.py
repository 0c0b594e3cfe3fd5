"""The output of a batch: a folder with one Parquet file for each shard, on any file system, so that an interrupted batch
can be continued; then all shards together, if the user wants one file."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow.parquet as pq

from models.errors import BadInput
from models.io.flat_row import Row
from serving.batch import results

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "batch.json"


@dataclass(frozen=True)
class Output:
    """A folder by address. A shard's file appears complete or not at all, even if several workers write it."""

    address: str
    predictors: tuple[str, ...] = ()

    def path(self, number: int) -> str:
        """The file of a shard, on the address's file system."""
        return f"{self._top()}/part-{number:06d}.parquet"

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Make the folder, or continue in it. Raises `BadInput` if it holds a batch with another manifest."""
        try:
            fs, top = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise BadInput(
                f"{self.address} cannot be written ({error}): s3:// and gs:// need requirements-ray.txt."
            ) from error
        if fs.exists(f"{top}/{MANIFEST}"):
            existing = json.loads(fs.cat_file(f"{top}/{MANIFEST}"))
            differing = sorted(key for key in manifest if existing.get(key) != manifest[key])
            if differing:
                raise BadInput(
                    f"{self.address} holds another batch (its {', '.join(differing)} differ): "
                    "name another folder, or delete that one."
                )
            return
        if fs.exists(top) and fs.find(top):
            raise BadInput(f"{self.address} is not empty and holds no batch: name another folder.")
        fs.makedirs(top, exist_ok=True)
        self._put(f"{top}/{MANIFEST}", json.dumps(dict(manifest), indent=1).encode())

    def done(self) -> set[int]:
        """The numbers of the shards that are written."""
        fs, top = fsspec.core.url_to_fs(self.address)
        names = (path.rpartition("/")[2] for path in fs.glob(f"{top}/part-*.parquet"))
        return {int(name[5:-8]) for name in names}

    def write(self, number: int, rows: Sequence[Row]) -> None:
        """One shard's rows."""
        self._put(self.path(number), results.parquet(rows, self.predictors))

    def tables(self, numbers: Sequence[int]) -> Iterator[pa.Table]:
        """The shards, one after another."""
        fs, _ = fsspec.core.url_to_fs(self.address)
        for number in numbers:
            with fs.open(self.path(number), "rb") as file:
                yield pq.read_table(file)

    def gather(self, numbers: Sequence[int], address: str, format_: str) -> int:
        """All shards into one file; returns the number of rows."""
        with fsspec.open(address, "wb") as file:
            return results.write(self.tables(numbers), format_, file, self.predictors)

    def remove(self) -> None:
        """Delete the folder, once its shards are gathered into one file."""
        fs, top = fsspec.core.url_to_fs(self.address)
        fs.rm(top, recursive=True)

    def _top(self) -> str:
        path: str = fsspec.core.url_to_fs(self.address)[1]
        return path.rstrip("/")

    def _put(self, path: str, data: bytes) -> None:
        fs, _ = fsspec.core.url_to_fs(self.address)
        if "file" not in fs.protocol:  # object stores show an object only once all of it is there
            fs.pipe_file(path, data)
            return
        temporary = f"{path}.{uuid.uuid4().hex}.tmp"
        with open(temporary, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
