"""The API over tiny weights or over the fake, in the test's own process and as a server on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import uvicorn
from fastapi.testclient import TestClient

from serving import api
from serving.batch import __main__ as batch_command
from serving.batch import judge
from serving.settings import Settings
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer
from tests.models.conftest import tiny, tiny_analyzer

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from tests.weights_for_tests import Tiny

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


@pytest.fixture
def memes(tmp_path: Path) -> Path:
    """Eight pictures, the first broken, in a folder with a table."""
    folder = tmp_path / "memes"
    (folder / "below").mkdir(parents=True)
    for number in range(8):
        data = drawn((64, 48), colour=(number * 20, 90, 140)) if number else b"broken"
        (folder / ("below" if number == 7 else "") / f"{number}.png").write_bytes(data)
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no meme")
    lines = ["image,caption", *(f"{number}.png,words of {number}" for number in range(3)), "below/7.png,"]
    lines += ['http://example.org/a.png,""', "../secret.png,x", "C:\\a.png,x", "gone.png,x", ',"just, words"', ","]
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def tiny_worker(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's analyzer is one on tiny weights."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))
    judge.load_analyzer.cache_clear()


@pytest.fixture
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's analyzer is the fake, which has no weights."""
    analyzer = FakeAnalyzer()
    analyzer.info = replace(analyzer.info, weights={})
    monkeypatch.setattr(judge, "load_analyzer", lambda profile, threads: analyzer)


def rows_of(path: Path) -> list[dict[str, Any]]:
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def run_batch(*words: object) -> int:
    return batch_command.main([str(word) for word in words])
