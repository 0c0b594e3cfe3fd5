"""The bodies of requests while they arrive: bytes are counted as they come, not as they were announced, and a body that stalls
is refused."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio import selector_events
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serving.problems import Overloaded, RateLimited, Stalled, TooLarge

if TYPE_CHECKING:
    from starlette.types import Message, Receive

    from serving.settings import Settings

MEGABYTE = 1024**2
PIECE = 64 * 1024  # bytes: so much of a body, or its end, has to arrive within `Settings.stall_s`
SWITCH_S = 0.0005  # Python's own: 0.005
READ = 8 * 1024  # bytes that are read from a connection at a time
RETRY_S = 2


def keep_loops_responsive() -> None:
    """Let the event loops of this process turn to the next connection sooner, and wait less for the threads that compute.

    Uvicorn parses what was read at once: 256 KB, asyncio's own size, of chunks of a byte take it a quarter of a second, in
    which nobody is answered. (httptools is faster, but sets no limit to the header fields of a request.) And each read and write
    lets go of the interpreter's lock, which a thread that computes then keeps for the whole switch interval.
    """
    sys.setswitchinterval(SWITCH_S)
    transport = getattr(selector_events, "_SelectorSocketTransport", None)
    if transport is not None:
        transport.max_size = READ


class Incoming:
    """The bytes of all bodies that are being received or answered. One caller may fill half of what there is room for."""

    def __init__(self, settings: Settings) -> None:
        self.stall_s = settings.stall_s
        self.max_bytes = settings.in_flight_mb * MEGABYTE
        self.max_bytes_of_caller = max(settings.body_mb * MEGABYTE, self.max_bytes // 2)
        self._bytes: Counter[str] = Counter()  # by caller

    @contextmanager
    def counted(self, receive: Receive, caller: str, max_bytes: int) -> Iterator[Receive]:
        """A request's `receive`, whose bytes are counted until the request is answered.

        It raises `Stalled`, `TooLarge` above `max_bytes`, and `RateLimited` or `Overloaded` where there is no room.
        """
        body = _Body(self, receive, caller, max_bytes)
        try:
            yield body.receive
        finally:
            self._bytes[caller] -= body.size
            self._bytes = +self._bytes  # without the callers that have nothing under way

    def add(self, caller: str, size: int) -> None:
        """Count bytes that have arrived. Raises `RateLimited` or `Overloaded` if there is no room for them."""
        if self._bytes[caller] + size > self.max_bytes_of_caller:
            limit_mb = self.max_bytes_of_caller // MEGABYTE
            raise RateLimited(f"One caller may send {limit_mb} MB at the same time.", RETRY_S)
        if self._bytes.total() + size > self.max_bytes:
            raise Overloaded("Too much is being received at this moment.", RETRY_S)
        self._bytes[caller] += size


class _Body:
    """One request's body. Only the time that is spent waiting for the caller counts as stalling."""

    def __init__(self, incoming: Incoming, receive: Receive, caller: str, max_bytes: int) -> None:
        self.size = 0
        self._incoming, self._receive, self._caller, self._max_bytes = incoming, receive, caller, max_bytes
        self._is_complete = False
        self._start_piece()

    async def receive(self) -> Message:
        if self._is_complete:  # from here on it tells when the caller goes away
            return await self._receive()
        message = await self._receive_in_time()
        size = len(message.get("body", b""))
        if self.size + size > self._max_bytes:
            raise TooLarge(f"The request has more than {self._max_bytes // MEGABYTE} MB: send less at once.")
        self._incoming.add(self._caller, size)
        self.size += size
        self._missing -= size
        if self._missing <= 0:
            self._start_piece()
        self._is_complete = not message.get("more_body", False)
        return message

    async def _receive_in_time(self) -> Message:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self._remaining_s):
                return await self._receive()
        except TimeoutError as error:
            stall_s = self._incoming.stall_s
            raise Stalled(
                f"The body stopped arriving: {PIECE // 1024} KB, or its end, are waited for at most {stall_s:g} s. "
                "Send it again, over a faster connection or smaller."
            ) from error
        finally:
            self._remaining_s -= time.perf_counter() - start

    def _start_piece(self) -> None:
        self._missing, self._remaining_s = PIECE, self._incoming.stall_s
