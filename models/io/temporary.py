"""The temporary folder of this process, which no other user may read, and the removal of those of processes that were killed.

A process locks its folder for as long as it lives, so that the next one can tell which folders nobody needs any more.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import threading
from pathlib import Path

PREFIX = "subtext-uploads-"


class TemporaryFolder:
    """A folder below the system's temporary folder (`TMPDIR`), made when it is first asked for and removed when the process
    exits. Thread-safe."""

    def __init__(self) -> None:
        atexit.register(self.remove)
        self._lock = threading.Lock()
        self._made: tuple[Path, int] | None = None  # the folder, and the open descriptor that keeps it locked

    @property
    def path(self) -> Path:
        """The folder."""
        with self._lock:
            if self._made is None or not self._made[0].is_dir():
                self._made = _make()
            return self._made[0]

    def remove(self) -> None:
        """Remove the folder with all that is in it; another one is made when it is asked for again."""
        with self._lock:
            if self._made is not None:
                path, descriptor = self._made
                self._made = None
                shutil.rmtree(path, ignore_errors=True)
                os.close(descriptor)


def sweep() -> None:
    """Remove the folders of processes that have ended."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        descriptor = _lock(path)
        if descriptor is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _make() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        descriptor = _lock(path)
        if descriptor is not None and path.is_dir():
            return path, descriptor
        if descriptor is not None:  # another process has swept it before it was locked
            os.close(descriptor)


def _lock(path: Path) -> int | None:
    """The open descriptor of a folder that nobody else has locked; None if somebody has, or if it is not ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
