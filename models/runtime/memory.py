"""Keeping the process small: freed memory goes back to the system, models are closed once nobody uses them."""

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import PartUnavailable


def give_back_memory() -> None:
    """Asks glibc to return freed memory; without an arena the networks would leave some 200 MB with the allocator."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


class UsageLock:
    """A lock with many users at a time; closing it waits for all of them. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._closed = False

    @contextmanager
    def use(self) -> Iterator[None]:
        """Counts as a user inside; raises `PartUnavailable` once the lock is closed."""
        with self._changed:
            if self._closed:
                raise PartUnavailable("Another profile was chosen while this was waiting: ask again.")
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Refuses new users and returns when the last one has left."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._users == 0)
