"""The API over tiny weights or over the fake, in the test's own process and as a server on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from serving import api
from serving.settings import Settings
from tests.models.conftest import tiny, tiny_analyzer

if TYPE_CHECKING:
    from models.analyzer import Analyzer

__all__ = ["tiny", "tiny_analyzer"]
Make = Callable[..., TestClient]


@pytest.fixture
def served() -> Iterator[Callable[..., TestClient]]:
    """Makes an API over an analyzer with the given settings, and waits until it is ready."""
    opened = []

    def make(analyzer: Any, **settings: Any) -> TestClient:
        client = TestClient(api.create(Settings(**settings), lambda: analyzer), raise_server_exceptions=True)
        client.__enter__()
        opened.append(client)
        wait_until(lambda: client.get("/ready").status_code == 200)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(served: Make, tiny_analyzer: Analyzer) -> TestClient:
    """The API over tiny weights."""
    return served(tiny_analyzer)


@pytest.fixture
def listening() -> Iterator[Callable[..., str]]:
    """Serves an app on a port of its own; gives its address."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any) -> str:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(20)


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Until it is so; a busy machine is slow, not wrong."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)
