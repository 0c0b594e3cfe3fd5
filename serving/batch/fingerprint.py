"""What a batch is of: its memes, the content of their files, and the models that answer. A resumed batch takes written shards
for its own only where all of this is what it was.

Content is told without reading the pictures: by size and time on a disk, by ETag or checksum in an object store, by CRC-32 in a
ZIP. Of a Parquet its footer counts too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import fsspec

from models import weights
from models.classifiers import multitask
from models.errors import BadInput
from models.io import parquet
from models.lenses import SPECS
from models.profiles import registry
from serving.batch.files import is_local
from serving.batch.inputs import Files, ParquetSlice, Shard, find_columns, folder_of, open_root, relative_path
from serving.batch.judge import Options
from serving.predictors import LENSES

# What file systems of fsspec tell of a file that changes with its content: S3, GCS, Azure, HTTP, ZIP, memory.
CONTENT_KEYS = ("size", "ETag", "etag", "LastModified", "last_modified", "generation", "md5Hash", "content_md5", "updated", "mtime",
        "created", "CRC")  # fmt: skip
FOOTER = 8  # bytes at the end of a Parquet: the length of its footer and PAR1
State = tuple[Any, ...] | None


def digest(shards: Iterable[Shard]) -> str:
    """SHA-256 in hexadecimal, equal for the same names and captions in the same order."""
    sha256 = hashlib.sha256()
    for shard in shards:
        sha256.update(repr(astuple(shard)).encode("utf-8", "surrogatepass"))
    return sha256.hexdigest()


def content_digest(shards: Sequence[Shard]) -> str:
    """SHA-256 in hexadecimal, equal as long as no file of the input is changed, added or removed."""
    states = _States()
    sha256 = hashlib.sha256()
    tables = dict.fromkeys(shard.address for shard in shards if isinstance(shard, ParquetSlice))
    for shard in shards:
        if isinstance(shard, Files):
            for ref in shard.refs:
                if ref.path is not None:
                    sha256.update(repr(states.of(shard.root, ref.path)).encode())
    for address in tables:
        for state in _of_parquet(address, states):
            sha256.update(repr(state).encode())
    return sha256.hexdigest()


def models_digest(profile: registry.Profile, options: Options) -> dict[str, str]:
    """The identity of everything that may answer, by name: the profile's models, the chosen systems, languages and OCR."""
    identities = registry.identities(profile) | {"py3langid": metadata.version("py3langid")}
    chosen = {SPECS[name].model if name in LENSES else name for name in options.predictors}
    for name in chosen & set(multitask.names()):
        identities |= {name: weights.card(name).identity}
    if options.ocr:
        identities |= {"rapidocr": metadata.version("rapidocr")}
    return dict(sorted(identities.items()))


class _States:
    """The states of files, one listing for each folder of an object store."""

    def __init__(self) -> None:
        self._root = cache(open_root)
        self._listing = cache(self._list)

    def of(self, root: str, path: str) -> State:
        """What is told of the file `path` below `root`; None where there is none, or where it is never read."""
        fs, top = self._root(root)
        try:
            inside = relative_path(path)
        except BadInput:
            return None
        whole = f"{top}/{inside}" if top else str(inside)
        if is_local(fs):
            return _of_local(whole)
        folder, _, name = whole.rpartition("/")
        return self._listing(root, folder).get(name)

    def _list(self, root: str, folder: str) -> dict[str, State]:
        fs, _ = self._root(root)
        fs.invalidate_cache(folder)
        try:
            return {
                entry["name"].rstrip("/").rpartition("/")[2]: _state_of(entry) for entry in fs.ls(folder, detail=True)
            }
        except (OSError, NotImplementedError):
            return {}


def _of_parquet(address: str, states: _States) -> Iterator[State | bytes]:
    """The state of the file, its footer, and the states of the pictures that it names."""
    fs, path = fsspec.core.url_to_fs(address)
    fs.invalidate_cache(path)
    yield _of_local(path) if is_local(fs) else _state_of(fs.info(path))
    with fs.open(path, "rb") as file:
        file.seek(-FOOTER, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-FOOTER - length, 2)
        yield hashlib.sha256(file.read(length)).digest()
        table = parquet.open_parquet(file, address)
        image = next((name for name, role in find_columns(table.schema_arrow.names).items() if role == "image"), None)
        for name in parquet.texts(table, (image, f"{image}.path")) if image is not None else ():
            yield states.of(folder_of(address), name)


def _of_local(path: str) -> State:
    try:
        stat = Path(path).stat()  # of what a link points to
    except (OSError, ValueError):
        return None
    return stat.st_size, stat.st_mtime_ns


def _state_of(info: dict[str, Any]) -> State:
    return tuple((key, str(info[key])) for key in CONTENT_KEYS if info.get(key) is not None)
