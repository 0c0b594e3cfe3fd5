"""Folders that take long to build, built once for all processes and runs of the same sources."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]


def built_once(name: str, sources: Sequence[str], build: Callable[[Path], object]) -> Path:
    """The folder that `build` fills; `sources` are the globs, from the repository, of all files that decide what is in it."""
    files = sorted(path for pattern in sources for path in ROOT.glob(pattern))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"subtext-{name}-{os.getuid()}-{digest}"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            part = Path(tempfile.mkdtemp(prefix=f"subtext-{name}-"))
            build(part)
            part.rename(folder)
    return folder
