"""The temporary folder of this process, which no other user may read, and the removal of those of processes that were killed.

A process locks its folder for as long as it lives, so that the next one can tell which folders nobody needs any more.
"""

import atexit
import shutil
import tempfile
import threading
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "subtext-uploads-"
FILES = "files"  # beside the lock


class TemporaryFolder:
    """A folder below the system's temporary folder (`TMPDIR`), made when it is first asked for and removed when the process
    exits. Thread-safe."""

    def __init__(self) -> None:
        atexit.register(self.remove)
        self._lock = threading.Lock()
        self._made: tuple[Path, FileLock] | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        with self._lock:
            if self._made is None or not self._made[0].is_dir():
                self._made = _make()
            return self._made[0] / FILES

    def remove(self) -> None:
        """Remove the folder with all that is in it; another one is made when it is asked for again."""
        with self._lock:
            if self._made is not None:
                _remove(*self._made)
                self._made = None


def sweep() -> None:
    """Remove the folders of processes that have ended."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not path.is_symlink() and (lock := _lock(path)) is not None:
            _remove(path, lock)


def _make() -> tuple[Path, FileLock]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(path)
        if lock is not None:  # otherwise another process is sweeping it
            path.chmod(0o700)  # taking the lock makes a folder that is gone anew
            (path / FILES).mkdir(mode=0o700)
            return path, lock


def _lock(path: Path) -> FileLock | None:
    """The lock of a folder, taken; None where another process holds it, or where the folder is gone or another user's."""
    lock = FileLock(path / "lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return None
    return lock


def _remove(path: Path, lock: FileLock) -> None:
    """Remove a folder that was locked here. Windows keeps the file of the lock until it is released."""
    shutil.rmtree(path, ignore_errors=True)
    lock.release()
    shutil.rmtree(path, ignore_errors=True)
