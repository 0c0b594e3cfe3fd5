"""Before every route: an id for the request, the key, the caller's rate, the room that there is, the body's size; after
it: the line in the log and the counters. Plain ASGI, so that a body is counted while it arrives."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
import uuid
from typing import TYPE_CHECKING

import limits
import structlog
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse

from serving import perspective, problems
from serving.problems import NoKey, Overloaded, TooLarge, TooMany, WrongMedia
from serving.telemetry import log

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.settings import Settings
    from serving.telemetry import Metrics

OPEN = frozenset({"/health", "/ready", "/metrics", "/api/openapi.json", "/$discovery/rest"})
QUIET = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines: counted, not logged
ID, _ID = "x-request-id", re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C trace context
UNNAMED = 1024**2  # bytes put aside for a body that does not tell its length


class Guard:
    """Wraps the API. `in_flight` holds the bytes of all requests that are being answered."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.in_flight = 0
        self._keys = [_digest(key) for key in settings.keys]
        self._rate = limits.parse(settings.rate) if settings.rate else None
        self._seen = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, start = Headers(scope=scope), time.perf_counter()
        given = headers.get(ID, "")
        name = given if _ID.fullmatch(given) else uuid.uuid4().hex
        trace = _TRACE.fullmatch(headers.get("traceparent", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=name, **({"trace": trace[1]} if trace else {}))
        status = 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[ID] = name
            await send(message)

        try:
            await self._admit(scope, headers, receive, tell)
        finally:
            took = time.perf_counter() - start
            route = route_of(scope)
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(took)
            if scope["path"] not in QUIET:
                told = scope.get("state", {}).get("told", {})
                log.info(
                    "request", route=route, method=scope["method"], status=status, ms=round(took * 1000, 1), **told
                )

    async def _admit(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        taken = 0
        try:
            if scope["path"] not in OPEN:
                self._check_key(scope, headers)
                self._check_rate(scope, headers)
            if scope["method"] in ("POST", "PUT", "PATCH"):
                taken = self._make_room(scope["path"], headers)
                self.in_flight += taken
            await self.app(scope, self._counted(receive), tell)
        except Exception as error:
            if started:
                raise
            form = perspective.response if scope["path"].startswith(perspective.PREFIX) else problems.response
            answer: JSONResponse = form(error)
            await answer(scope, receive, send)
        finally:
            self.in_flight -= taken

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        if self._keys and not any(hmac.compare_digest(_digest(shown(scope, headers)), key) for key in self._keys):
            raise NoKey("This server needs a key: send it as `Authorization: Bearer KEY`, or ask its operator for one.")

    def _check_rate(self, scope: Scope, headers: Headers) -> None:
        if self._rate is None:
            return
        key = shown(scope, headers) if self._keys else ""
        caller = _digest(key).hex() if key else str((scope.get("client") or ("unknown",))[0])
        if not self._seen.hit(self._rate, caller):
            again = self._seen.get_window_stats(self._rate, caller).reset_time - time.time()
            raise TooMany(f"More than {self._rate} are not taken from one caller.", max(1, math.ceil(again)))

    def _make_room(self, path: str, headers: Headers) -> int:
        """Bytes to put aside for this request."""
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if path.startswith(perspective.PREFIX):
            pass  # its callers' libraries name JSON in several ways
        elif media not in ("application/json", "multipart/form-data"):
            raise WrongMedia("The body is to be application/json or multipart/form-data: set the header Content-Type.")
        length = headers.get("content-length", "")
        most = self.settings.body_mb * 1024**2
        size = int(length) if length.isdigit() else UNNAMED
        if size > most:
            raise TooLarge(
                f"The request has {size / 1024**2:.1f} MB, and at most {self.settings.body_mb} MB are taken."
            )
        if self.in_flight + size > self.settings.in_flight_mb * 1024**2:
            raise Overloaded("Too much is being received at this moment.", 2)
        return size

    def _counted(self, receive: Receive) -> Receive:
        """The body as it arrives, up to the limit: a length that was not told, or told wrongly, does not get past it."""
        most, seen = self.settings.body_mb * 1024**2, 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise TooLarge(f"The request has more than {self.settings.body_mb} MB: send less at once.")
            return message

        return counted


def shown(scope: Scope, headers: Headers) -> str:
    """The key that a caller shows: as a bearer, in X-API-Key, or as `?key=` where the other service takes it."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    if scope["path"].startswith(perspective.PREFIX):
        return QueryParams(scope.get("query_string", b"")).get("key", "")
    return ""


def route_of(scope: Scope) -> str:
    """The route's pattern, not the path that was asked for: paths are endless, and people put words into them."""
    route = scope.get("route")
    return getattr(route, "path", "unknown")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
