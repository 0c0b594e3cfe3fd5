"""Middleware before every route: an id for the request, the key, the caller's rate, the body's kind, size and pace; after it:
the line in the log and the metrics. Plain ASGI, so that a body is counted while it arrives."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from serving import perspective, problems
from serving.callers import Callers, address_of
from serving.incoming import MEGABYTE, Incoming
from serving.intake import JSON, MULTIPART, media_type
from serving.problems import TooLarge, WrongMedia
from serving.service import log

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.service import Metrics
    from serving.settings import Settings

QUIET = frozenset({"/health", "/ready", "/metrics"})  # called every few seconds by machines: counted, not logged
OPEN = QUIET | {"/api/openapi.json"}  # need no key
GONE = 499  # in log and metrics: the caller went away before the answer; the number is nginx's
REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C trace context


class Guard:
    """Wraps the API."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.callers, self.incoming = Callers(settings), Incoming(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the request, pass it on, record it; what was raised becomes a problem."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # none is served: all are refused, and the server logs that
                _hide_request_line(scope)
            await self.app(scope, receive, send)
            return
        path, headers, start = scope["path"], Headers(scope=scope), time.perf_counter()
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
                _hide_request_line(scope)
            await send(message)

        try:
            caller = address_of(scope) if path in OPEN else self.callers.admit(scope, headers)
            scope.setdefault("state", {})["caller"] = caller
            self._check_header(scope, headers)
            with self.incoming.counted(receive, caller, self._max_bytes(path)) as receive_counted:
                await self.app(scope, receive_counted, send_with_id)
        except ClientDisconnect:
            status = status or GONE
        except Exception as error:
            if status:
                raise
            respond = perspective.response if path.startswith(perspective.PREFIX) else problems.response
            await respond(error)(scope, receive, send_with_id)
        finally:
            self._record(scope, status or 500, time.perf_counter() - start, is_quiet=path in QUIET)

    def _record(self, scope: Scope, status: int, seconds: float, *, is_quiet: bool) -> None:
        route = _route_of(scope)
        self.metrics.requests.labels(route, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if not is_quiet:
            fields = scope.get("state", {}).get("log_fields", {})
            ms = round(seconds * 1000, 1)
            log.info("request", route=route, method=scope["method"], status=status, ms=ms, **fields)

    def _check_header(self, scope: Scope, headers: Headers) -> None:
        """Raises what is wrong with the header fields of a body, which need not be true: the body is counted too."""
        path = scope["path"]
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return
        # The callers of the Perspective route name JSON in several ways.
        if not path.startswith(perspective.PREFIX) and media_type(headers) not in (JSON, MULTIPART):
            raise WrongMedia(f"The body is to be {JSON} or {MULTIPART}: set the header Content-Type.")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes(path):
            limit_mb = self._max_bytes(path) // MEGABYTE
            raise TooLarge(f"The request has {int(length) / MEGABYTE:.1f} MB, and at most {limit_mb} MB are taken.")

    def _max_bytes(self, path: str) -> int:
        limit = self.settings.body_mb * MEGABYTE
        return min(limit, perspective.MAX_BYTES) if path.startswith(perspective.PREFIX) else limit


def _route_of(scope: Scope) -> str:
    """The route's pattern, not the path: paths are endless, and people put words into them."""
    return getattr(scope.get("route"), "path", "unknown")


def _hide_request_line(scope: Scope) -> None:
    """Leave nothing in the scope that the caller wrote into the address: a server's access log is read off it."""
    route = _route_of(scope)
    scope.update(path=route, raw_path=route.encode(), query_string=b"")
