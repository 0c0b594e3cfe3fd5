"""Lets many in while it is open, and closes only when the last one is out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import PartUnavailable


class Gate:
    """Safe to share between threads: so models can be put away while others may still be using them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Raises `PartUnavailable` once the gate is closed."""
        with self._changed:
            if self._closed:
                raise PartUnavailable("Another profile was chosen while this was waiting: ask again.")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Nobody new comes in; returns when nobody is left inside."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0)
