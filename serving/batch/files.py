"""Files that appear whole or not at all, on any file system of fsspec."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TypeVar

import fsspec

T = TypeVar("T")


def write_whole(fs: fsspec.AbstractFileSystem, path: str, write: Callable[[IO[bytes]], T]) -> T:
    """What `write` returns, once all that it wrote is in the file `path`; until then, and if it raises, `path` stays as it was.

    It is written beside it, as `PATH.<something>.part`, and renamed: an object store would also commit what was written
    before an exception.
    """
    part = f"{path}.{uuid.uuid4().hex}.part"
    try:
        with fs.open(part, "wb") as file:
            result = write(file)
            if is_local(fs):
                file.flush()
                os.fsync(file.fileno())
        if is_local(fs):
            os.replace(part, path)  # noqa: PTH105
        else:
            fs.mv(part, path)
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell
            fs.rm_file(part)
        raise
    return result


def is_local(fs: fsspec.AbstractFileSystem) -> bool:
    """Whether it is the disk of this machine."""
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)
