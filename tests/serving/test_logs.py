"""Keys and captions are in no log, however the server is started, and wherever callers put them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from benchmarks import common
from tests.serving.conftest import wait_until

SECRET = "nobody-may-log-this"
PATHS = (f"/v1alpha1/comments:analyze?key={SECRET}", f"/api/v1/{SECRET}?key={SECRET}", f"/health?caption={SECRET}")
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


def uvicorn(*options: str) -> Callable[..., common.Server]:
    return lambda log: common.serve(["uvicorn", "serving.api:app", *options], "--port", "/health", log, {})


@pytest.mark.parametrize(
    ("serve", "line"),
    [
        (uvicorn(), '"POST /api/v1/analyze HTTP/1.1"'),
        (uvicorn("--log-level", "trace"), '"POST /api/v1/analyze HTTP/1.1"'),
        (uvicorn("--no-access-log"), '"route": "/api/v1/analyze"'),
        (common.app, '"route": "/api/v1/analyze"'),
    ],
    ids=["uvicorn", "trace", "no access log", "app"],
)
def test_no_way_to_start_it_logs_keys_and_captions(
    serve: Callable[..., common.Server], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTEXT_API_KEYS", SECRET)
    log = tmp_path / "log"
    with log.open("wb") as output, serve(output) as (address, _):
        keys = {"X-API-Key": SECRET, "Authorization": f"Bearer {SECRET}"}
        for path in PATHS:
            for headers in ({}, keys):
                requests.get(address + path, headers=headers, timeout=60)
                requests.post(address + path, json={"comment": {"text": SECRET}}, headers=headers, timeout=60)
            requests.get(address + path, headers=keys | SOCKET, timeout=60)
        requests.post(f"{address}/api/v1/analyze", json={"caption": SECRET}, headers=keys, timeout=60)
        requests.post(f"{address}/api/v1/analyze", files={SECRET: (SECRET, SECRET)}, headers=keys, timeout=60)
        url = urlsplit(address)
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.sendall(f"{SECRET}\r\n\r\n".encode())
            connection.recv(1000)
        wait_until(lambda: line in log.read_text(encoding="utf-8"), 20)
    assert SECRET not in log.read_text(encoding="utf-8")
