"""Uploads on their way to Streamlit: to disk, counted as they arrive, and refused where they do not come."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.io import uploads as module
from models.io.uploads import Uploads
from serving import uploads as route
from serving.uploads import UploadsToDisk, visitor_name
from tests.serving.conftest import wait_until

PATH = "/_stcore/upload_file/session/file"


class Server:
    """What Streamlit does with uploads, behind the middleware; `got` are the files' names and what it holds of them."""

    def __init__(self, listening: Callable[..., str]) -> None:
        self.uploads, self.got = Uploads(), dict[str, bytes]()
        self.status = 204

        async def put(request: Request) -> Response:
            async with request.form() as form:
                (file,) = form.values()
                self.got[str(file.filename)] = await file.read()  # type: ignore[union-attr]
            return Response(status_code=self.status)

        async def delete(_: Request) -> Response:
            return Response(status_code=204)

        path = "/_stcore/upload_file/{session}/{file}"
        app = Starlette(routes=[Route(path, put, methods=["PUT"]), Route(path, delete, methods=["DELETE"])])
        wrapped = UploadsToDisk(app, is_open=lambda session: session == "session", uploads=self.uploads)
        self.address = listening(wrapped)

    def request(self, method: str, path: str, **body: Any) -> requests.Response:
        return requests.request(method, f"{self.address}{path}", timeout=60, **body)

    def wait_until_empty(self) -> None:
        """A file goes after the answer."""
        wait_until(lambda: not list(self.uploads.folder.path.iterdir()), 10)

    @property
    def files(self) -> list[bytes]:
        return [path.read_bytes() for path in self.uploads.folder.path.iterdir()]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: Callable[..., str]) -> Server:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Server(listening)


def form(data: bytes, name: str = "füße/a.zip") -> dict[str, Any]:
    return {"files": {"file": (name, data, "application/zip")}}


def test_a_file_goes_to_disk_and_streamlit_holds_a_token(server: Server) -> None:
    data = bytes(range(256)) * 4096 * 3  # 3 MB
    assert server.request("PUT", PATH, **form(data)).status_code == 204
    ((name, token),) = server.got.items()
    assert name == "füße/a.zip" and len(token) < 100
    assert server.files == [data] == [server.uploads.content(token)]
    assert server.request("DELETE", PATH).status_code == 204
    server.wait_until_empty()


def test_what_streamlit_does_not_take_leaves_nothing(server: Server) -> None:
    server.status = 403  # no XSRF token
    assert server.request("PUT", PATH, **form(b"data")).status_code == 403
    assert server.request("PUT", PATH, data={"a": "b"}).status_code == 400
    assert server.request("PUT", PATH, data=b"x", headers={"content-type": "multipart/form-data"}).status_code == 400
    server.wait_until_empty()
    server.status = 400  # a page that is not open: passed on as it came
    server.request("PUT", PATH.replace("session", "unknown"), **form(b"data"))
    assert list(server.got.values())[-1] == b"data"
    server.wait_until_empty()


def test_too_much_is_refused_while_it_arrives(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "MAX_FILE_MB", 1)

    def parts(megabytes: int) -> Iterator[bytes]:
        """Without a length, and without an end."""
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        for _ in range(16 * megabytes):
            yield bytes(65536)
        time.sleep(1)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert server.request("PUT", PATH, data=parts(3), headers=headers).status_code == 413
    monkeypatch.setattr(module, "VISITOR_BYTES", 500_000)
    refused = server.request("PUT", PATH, data=parts(1), headers=headers)
    assert (refused.status_code, "remove some" in refused.text) == (507, True)
    assert server.uploads.refusals == {"session": refused.text}  # for the page to tell
    server.uploads.expire(lambda _: False)
    assert not server.uploads.refusals
    server.wait_until_empty()
    assert server.request("PUT", PATH, **form(bytes(400_000))).status_code == 204  # what was refused counts no more


def test_a_file_that_stalls_or_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(pause_s: float) -> Iterator[bytes]:
        yield b"--x"
        time.sleep(pause_s)
        yield b"--x"
        time.sleep(1)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    for name, pause_s in (("STALL_S", 1.0), ("GRACE_S", 0.05)):
        with monkeypatch.context() as patch:
            patch.setattr(route, name, 0.2)
            assert server.request("PUT", PATH, data=slow(pause_s), headers=headers).status_code == 408
    server.wait_until_empty()


def test_an_address_that_tells_nobody_apart_counts_by_session() -> None:
    assert visitor_name("192.0.2.1", "s") == "192.0.2.1"
    assert visitor_name("2001:db8::1", "s") == visitor_name("2001:db8::2", "t")
    assert visitor_name("127.0.0.1", "s") == visitor_name(None, "s") == "s"
