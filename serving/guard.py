"""Middleware before every route: an id for the request, the key, the caller's rate, the memory for the body and its size;
after it: the line in the log and the metrics. Plain ASGI, so that a body is counted while it arrives."""

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

from serving import perspective, problems
from serving.intake import JSON, MULTIPART, media_type
from serving.problems import Overloaded, RateLimited, TooLarge, Unauthorized, WrongMedia
from serving.service import log

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.service import Metrics
    from serving.settings import Settings

MEGABYTE = 1024**2
QUIET = frozenset({"/health", "/ready", "/metrics"})  # called every few seconds by machines: counted, not logged
OPEN = QUIET | {"/api/openapi.json"}  # need no key
REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C trace context


class Guard:
    """Wraps the API. `in_flight` is the number of bytes of all requests that are being answered."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.in_flight = 0
        self._keys = [_digest(key) for key in settings.keys]
        self._rate = limits.parse(settings.rate) if settings.rate else None
        self._limiter = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the request, pass it on, record it; what was raised becomes a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, start = Headers(scope=scope), time.perf_counter()
        request_id = headers.get(REQUEST_ID, "")
        request_id = request_id if _REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex
        trace = _TRACE.fullmatch(headers.get("traceparent", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id, **({"trace": trace[1]} if trace else {}))
        status = 0  # 0: the answer has not begun

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        reserved = 0
        try:
            if scope["path"] not in OPEN:
                self._check_key(scope, headers)
                self._check_rate(scope, headers)
            if scope["method"] in ("POST", "PUT", "PATCH"):
                reserved = self._size_to_reserve(scope["path"], headers)
                self.in_flight += reserved
            await self.app(scope, self._limited(receive, self._max_bytes(scope["path"])), send_with_id)
        except Exception as error:
            if status:
                raise
            respond = perspective.response if scope["path"].startswith(perspective.PREFIX) else problems.response
            await respond(error)(scope, receive, send_with_id)
        finally:
            self.in_flight -= reserved
            self._record(scope, status or 500, time.perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, not the path: paths are endless, and people put words into them.
        route = getattr(scope.get("route"), "path", "unknown")
        self.metrics.requests.labels(route, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if scope["path"] not in QUIET:
            fields = scope.get("state", {}).get("log_fields", {})
            ms = round(seconds * 1000, 1)
            log.info("request", route=route, method=scope["method"], status=status, ms=ms, **fields)

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        digest = _digest(sent_key(scope, headers))
        if self._keys and not any(hmac.compare_digest(digest, key) for key in self._keys):
            raise Unauthorized(
                "This server needs a key: send it as `Authorization: Bearer KEY`, or ask its operator for one."
            )

    def _check_rate(self, scope: Scope, headers: Headers) -> None:
        if self._rate is None:
            return
        key = sent_key(scope, headers) if self._keys else ""
        caller = _digest(key).hex() if key else str((scope.get("client") or ("unknown",))[0])
        if not self._limiter.hit(self._rate, caller):
            seconds = self._limiter.get_window_stats(self._rate, caller).reset_time - time.time()
            raise RateLimited(f"More than {self._rate} are not taken from one caller.", max(1, math.ceil(seconds)))

    def _size_to_reserve(self, path: str, headers: Headers) -> int:
        """The body's size in bytes as announced, 1 MB if it is not. Raises what is wrong with the body's header fields."""
        # The callers of the Perspective route name JSON in several ways.
        if not path.startswith(perspective.PREFIX) and media_type(headers) not in (JSON, MULTIPART):
            raise WrongMedia(f"The body is to be {JSON} or {MULTIPART}: set the header Content-Type.")
        length = headers.get("content-length", "")
        size = int(length) if length.isdigit() else MEGABYTE
        if size > self._max_bytes(path):
            limit_mb = self._max_bytes(path) // MEGABYTE
            raise TooLarge(f"The request has {size / MEGABYTE:.1f} MB, and at most {limit_mb} MB are taken.")
        if self.in_flight + size > self.settings.in_flight_mb * MEGABYTE:
            raise Overloaded("Too much is being received at this moment.", 2)
        return size

    def _max_bytes(self, path: str) -> int:
        limit = self.settings.body_mb * MEGABYTE
        return min(limit, perspective.MAX_BYTES) if path.startswith(perspective.PREFIX) else limit

    def _limited(self, receive: Receive, limit: int) -> Receive:
        """The body as it arrives, up to `limit` bytes, which also holds where its length was not announced or wrong."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise TooLarge(f"The request has more than {limit // MEGABYTE} MB: send less at once.")
            return message

        return limited


def sent_key(scope: Scope, headers: Headers) -> str:
    """The caller's key: a bearer token, X-API-Key, or `?key=` for the Perspective route; "" if there is none."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    if scope["path"].startswith(perspective.PREFIX):
        return QueryParams(scope.get("query_string", b"")).get("key", "")
    return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
