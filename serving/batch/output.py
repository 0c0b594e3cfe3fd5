"""Where a batch writes: a folder with one Parquet file a shard, on any file system, so that it can go on where it
stopped; then all shards together, where the user wants one file."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import fsspec
import pyarrow.parquet as pq

from models.errors import BadInput
from models.io.flat_row import Row
from serving.batch import results

if TYPE_CHECKING:
    import pyarrow as pa

PLAN = "batch.json"


@dataclass(frozen=True)
class Output:
    """A folder by address. A shard's file appears whole or not at all, whoever writes it and however often."""

    address: str
    systems: tuple[str, ...] = ()

    def path(self, number: int) -> str:
        return f"{self._top()}/part-{number:06d}.parquet"

    def begin(self, told: Mapping[str, Any]) -> None:
        """Make the folder, or go on in it. Raises `BadInput` where it holds another batch: its shards would be mixed."""
        try:
            fs, top = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise BadInput(
                f"{self.address} cannot be written ({error}): s3:// and gs:// need requirements-ray.txt."
            ) from error
        if fs.exists(f"{top}/{PLAN}"):
            held = json.loads(fs.cat_file(f"{top}/{PLAN}"))
            differing = sorted(key for key in told if held.get(key) != told[key])
            if differing:
                raise BadInput(
                    f"{self.address} holds another batch (its {', '.join(differing)} differ): "
                    "name another folder, or delete that one."
                )
            return
        if fs.exists(top) and fs.find(top):
            raise BadInput(f"{self.address} is not empty and holds no batch: name another folder.")
        fs.makedirs(top, exist_ok=True)
        self._put(f"{top}/{PLAN}", json.dumps(dict(told), indent=1).encode())

    def done(self) -> set[int]:
        """The numbers of the shards that are there."""
        fs, top = fsspec.core.url_to_fs(self.address)
        names = (path.rpartition("/")[2] for path in fs.glob(f"{top}/part-*.parquet"))
        return {int(name[5:-8]) for name in names}

    def write(self, number: int, rows: Sequence[Row]) -> None:
        """One shard's rows."""
        self._put(self.path(number), results.parquet(rows, self.systems))

    def tables(self, numbers: Sequence[int]) -> Iterator[pa.Table]:
        """The shards, one after another."""
        fs, _ = fsspec.core.url_to_fs(self.address)
        for number in numbers:
            with fs.open(self.path(number), "rb") as file:
                yield pq.read_table(file)

    def gather(self, numbers: Sequence[int], files: Mapping[str, str]) -> int:
        """All shards into each of `files` (address by format); returns the number of rows."""
        with ExitStack() as stack:
            outs: dict[str, IO[bytes]] = {
                format_: stack.enter_context(fsspec.open(address, "wb")) for format_, address in files.items()
            }
            return results.write(self.tables(numbers), outs, self.systems)

    def remove(self) -> None:
        """Shards and plan go; used once they are gathered into one file."""
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
        aside = f"{path}.{uuid.uuid4().hex}.tmp"
        with open(aside, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)  # noqa: PTH105
