"""Uploads of the pages on their way to Streamlit: they go to disk, and Streamlit gets a token in their place.

Streamlit's own uploader puts every file into memory whole and keeps it there until its visitor leaves. Plain ASGI, around the
pages; what the token stands for is in `models.io.uploads`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from urllib3 import encode_multipart_formdata

from models.io.uploads import MAX_FILE_MB, MEGABYTE, UPLOADS, NoRoom, Upload, Uploads
from serving.callers import network_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 8  # uploads of one visitor that are received at a time; each has up to 1 MB in memory
FORM_BYTES = MEGABYTE  # more than a form around the file takes
STALL_S = 30.0  # seconds in which more of a body must arrive
GRACE_S, SLOWEST = 60.0, 20_000  # after the first minute, bytes a second on average
_ROUTE = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)")
LOCAL = ("127.0.0.1", "::1")


class UploadsToDisk:
    """Middleware for `st.App`. `is_open` says whether the page with this session is open."""

    def __init__(self, app: ASGIApp, *, is_open: Callable[[str], bool], uploads: Uploads = UPLOADS) -> None:
        self.app, self.is_open, self.uploads = app, is_open, uploads
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # by visitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take over a file that comes, drop one that is removed, and pass on everything else."""
        match = _ROUTE.search(scope["path"]) if scope["type"] == "http" else None
        if match is None or not self.is_open(match[1]):  # Streamlit refuses the files of unknown sessions unread
            await self.app(scope, receive, send)
        elif scope["method"] == "PUT":
            await self._take(scope, receive, send, *match.groups())
        else:
            await self.app(scope, receive, send)
            if scope["method"] == "DELETE":
                await run_in_threadpool(self.uploads.remove_named, *match.groups())

    async def _take(self, scope: Scope, receive: Receive, send: Send, session: str, name: str) -> None:
        visitor = visitor_name((scope.get("client") or (None,))[0], session)
        turns = self._turns.setdefault(visitor, asyncio.Semaphore(AT_ONCE))
        upload = self.uploads.begin(visitor, session, name)
        status = 0

        async def send_watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            async with turns:
                body, headers = await self._to_disk(upload, scope, receive)
            await self.app({**scope, "headers": headers.raw}, _replay(body, receive), send_watched)
        except ClientDisconnect:
            pass
        except (HTTPException, MultiPartException, NoRoom, TimeoutError) as error:
            code, sentence = _refusal(error)
            self.uploads.refusals[session] = sentence
            await PlainTextResponse(sentence, code, {"connection": "close"})(scope, receive, send)
        finally:
            if status != 204:  # the only answer by which Streamlit has taken a file
                self.uploads.remove(upload)

    async def _to_disk(self, upload: Upload, scope: Scope, receive: Receive) -> tuple[bytes, MutableHeaders]:
        """Write the file that arrives; the body that Streamlit gets instead, and its headers."""
        request = Request(scope, self._counted(upload, receive))
        async with request.form(max_files=1, max_fields=1) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if len(files) != 1:
                raise HTTPException(400, "Send one file at a time.")
            if (files[0].size or 0) > MAX_FILE_MB * MEGABYTE:
                raise HTTPException(413, f"A file may have {MAX_FILE_MB} MB.")
            await run_in_threadpool(self.uploads.write, upload, files[0].file)
            token = (files[0].filename or "", upload.token, files[0].content_type or "application/octet-stream")
        body, kind = encode_multipart_formdata({"file": token})
        headers = MutableHeaders(raw=[pair for pair in scope["headers"] if pair[0] != b"transfer-encoding"])
        headers["content-type"], headers["content-length"] = kind, str(len(body))
        return body, headers

    def _counted(self, upload: Upload, receive: Receive) -> Receive:
        """The body as it arrives: counted, and refused where it is too large, stalls or drips."""
        start = time.monotonic()

        async def counted() -> Message:
            message = await asyncio.wait_for(receive(), STALL_S)
            self.uploads.count(upload, len(message.get("body", b"")))
            if upload.size > MAX_FILE_MB * MEGABYTE + FORM_BYTES:
                raise HTTPException(413, f"A file may have {MAX_FILE_MB} MB.")
            if time.monotonic() - start > GRACE_S + upload.size / SLOWEST:
                raise TimeoutError
            return message

        return counted


def visitor_name(address: str | None, session: str) -> str:
    """Who pays for files and batches: the address, or the session where the address tells nobody apart."""
    return session if address is None or address in LOCAL else network_of(address)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _refusal(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, MultiPartException):
        return 400, "The form around the file is damaged."
    if isinstance(error, NoRoom):
        return 507, str(error)
    return 408, "The file came too slowly: try again."
