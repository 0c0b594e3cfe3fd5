"""Turns at what is scarce in this process: the networks, the memory of pictures. Threads that somebody waits for go first."""

import itertools
import math
import os
import sys
import threading
import time
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

REQUEST_S, BATCH_S = 2.0, 10.0  # seconds by which pages go before requests of the API, and before batches
NICE = 5  # a third of a page's share of the processors
_patience_s: ContextVar[float] = ContextVar("patience_s", default=0.0)


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Inside, this thread lets others go first that arrive up to `seconds` later; a page has no patience.

    Nobody waits for ever: whoever has waited longer than that goes before those who come now.
    """
    token = _patience_s.set(seconds)
    try:
        yield
    finally:
        _patience_s.reset(token)


def yield_to_pages() -> None:
    """Let this thread have the processors when no page and no event loop needs them; for threads of batches and requests."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)


class Turns:
    """A number of units that threads take and give back, such as one OCR or so many pixels. Thread-safe.

    A thread that holds some must not take more of the same.
    """

    def __init__(self, units: int = 1) -> None:
        self.units = units
        self._free = units
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int]] = []  # when each arrived plus its patience, and its number
        self._numbers = itertools.count()

    @contextmanager
    def take(self, units: int = 1) -> Iterator[None]:
        """Waits for its turn and for `units` to be free; more than there are count as all of them, 0 takes no turn."""
        units = min(units, self.units)
        if units <= 0:
            yield
            return
        with self._changed:
            ticket = (time.monotonic() + _patience_s.get(), next(self._numbers))
            insort(self._waiting, ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] == ticket and self._free >= units)
                self._free -= units
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += units
                self._changed.notify_all()


_COMPUTING = Turns(max(2, (os.cpu_count() or 1) // 2))
_BEHIND_PAGES = Turns(_COMPUTING.units - 1)


@contextmanager
def computing() -> Iterator[None]:
    """A turn at running one network once: each run takes up to 100 MB meanwhile, and more would only share the same cores.

    One turn is kept for pages.
    """
    with _BEHIND_PAGES.take(min(1, math.ceil(_patience_s.get()))), _COMPUTING.take():
        yield
