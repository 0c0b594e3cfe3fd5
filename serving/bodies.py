"""JSON bodies: read in a worker thread, so that the event loop answers others meanwhile, and refused by the number of their
values before anything is built from them."""

from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread
from fastapi import Request

from serving.problems import TooLarge

LARGE = 1024**2  # bytes; larger bodies are parsed one at a time, since parsing takes several times their memory
T = TypeVar("T")


async def parse_json(request: Request, parse: Callable[[bytes], T], *, max_values: int) -> T:
    """What `parse` makes of the body. Raises what `parse` raises, and `TooLarge` for more than `max_values` values."""
    body = await _read(request)

    def parse_checked() -> T:
        check_values(body, max_values)
        return parse(body)

    limiter = request.app.state.service.large_bodies if len(body) > LARGE else None
    return await to_thread.run_sync(parse_checked, limiter=limiter)


async def _read(request: Request) -> bytes:
    """The body, which `request.body()` would keep until the answer; joined at once, since a body may come byte by byte."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
    return bytes(body)


def check_values(body: bytes, max_values: int) -> None:
    """Raises `TooLarge` for JSON with more than `max_values` quotes around strings, or brackets and commas between them.

    Three bytes of JSON (`{},`) may take half a kilobyte once they are parsed. The body need not be valid.
    """
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # what quotes are left begin or end a string
    if unescaped.count(b'"') <= max_values:
        outside = b"".join(unescaped.split(b'"')[::2])
        if sum(map(outside.count, (b"[", b"{", b","))) <= max_values:
            return
    raise TooLarge(
        "The JSON has more values than are read at this address: send the documented fields alone, and less at once."
    )
