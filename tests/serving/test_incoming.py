"""Bodies that stall or do not come to an end take nobody else's place."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from benchmarks import common
from serving import api
from serving.incoming import PIECE, Incoming
from serving.problems import Overloaded, RateLimited, Stalled
from serving.settings import Settings
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import wait_until

MEGABYTE = 1024**2
PATH = "/api/v1/analyze"
STALL_S = 1.0


@pytest.fixture
def address(listening: Callable[..., str]) -> str:
    """A ready server on which bodies may stall for a second."""
    address = listening(api.create(Settings(stall_s=STALL_S), FakeAnalyzer))
    wait_until(lambda: requests.get(f"{address}/ready", timeout=30).ok)
    return address


@contextmanager
def post_begun(address: str, length: str, sent: bytes = b"", path: str = PATH) -> Iterator[socket.socket]:
    """A request whose header and first bytes are sent. length: the header field that announces its length."""
    url = urlsplit(address)
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        connection.sendall(head.encode() + sent)
        yield connection


def answer_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer, after which the server has closed the connection."""
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def analyze(address: str) -> requests.Response:
    return requests.post(address + PATH, json={"caption": "words", "explain": False}, timeout=20)


def test_posts_that_send_nothing_take_nobodys_place_and_are_ended(address: str) -> None:
    with ExitStack() as opened:
        begun = [opened.enter_context(post_begun(address, f"Content-Length: {32 * MEGABYTE}")) for _ in range(20)]
        time.sleep(0.2)
        assert analyze(address).status_code == 200
        for connection in begun:
            status, problem = answer_of(connection)
            assert (status, problem["status"]) == (408, 408)
            assert "stopped arriving" in problem["detail"]


def test_a_dripping_body_is_ended_too(address: str) -> None:
    start = time.perf_counter()
    with post_begun(address, "Transfer-Encoding: chunked") as connection:
        while time.perf_counter() < start + 3 * STALL_S:
            try:
                connection.sendall(b"1\r\n \r\n")
            except ConnectionError:
                break
            time.sleep(0.1)
    assert time.perf_counter() - start < 2 * STALL_S


def test_the_perspective_form_says_it_in_its_own_way(address: str) -> None:
    with post_begun(address, "Content-Length: 9", b"{", path="/v1alpha1/comments:analyze") as connection:
        status, answer = answer_of(connection)
    assert (status, answer["error"]["status"]) == (408, "DEADLINE_EXCEEDED")


def test_a_chunked_body_counts_by_what_has_arrived(listening: Callable[..., str]) -> None:
    address = listening(api.create(Settings(body_mb=2, in_flight_mb=2), FakeAnalyzer))
    wait_until(lambda: requests.get(f"{address}/ready", timeout=30).ok)
    chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b" " * MEGABYTE)
    with (
        post_begun(address, "Transfer-Encoding: chunked", chunk),
        post_begun(address, "Transfer-Encoding: chunked", chunk[:-10]),  # leaves room for no other request
    ):
        time.sleep(1)  # both have arrived
        assert analyze(address).status_code == 429
    wait_until(lambda: analyze(address).status_code == 200)  # both have gone


def test_who_goes_away_is_no_failure_of_the_server(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with post_begun(address, "Content-Length: 9"):
        time.sleep(0.2)
    wait_until(lambda: 'status="499"' in requests.get(f"{address}/metrics", timeout=20).text)
    assert "ClientDisconnect" not in caplog.text


def run_apart(coroutine: Coroutine[Any, Any, Any]) -> None:
    """On a loop in a thread of its own: Playwright's may be running in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


def test_one_caller_fills_half_and_what_was_answered_makes_room() -> None:
    incoming = Incoming(Settings(body_mb=1, in_flight_mb=4))

    async def one_megabyte() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(MEGABYTE), "more_body": False}

    def receive(stack: ExitStack, caller: str) -> None:
        run_apart(stack.enter_context(incoming.counted(one_megabyte, caller, MEGABYTE))())

    for _ in range(2):
        with ExitStack() as stack:
            for caller in "aabb":
                receive(stack, caller)
            with pytest.raises(RateLimited, match="2 MB at the same time"):
                receive(stack, "a")
            with pytest.raises(Overloaded, match="being received"):
                receive(stack, "c")


def test_a_slow_body_is_read_as_long_as_its_pieces_come() -> None:
    incoming = Incoming(Settings(stall_s=1.5))
    pauses = iter([0.6, 0.6, 0.6, 30])

    async def receive_slowly() -> dict[str, Any]:
        await asyncio.sleep(next(pauses))
        return {"type": "http.request", "body": bytes(PIECE), "more_body": True}

    async def receive_all() -> None:
        with incoming.counted(receive_slowly, "a", MEGABYTE) as receive:
            for _ in range(3):
                await receive()
            with pytest.raises(Stalled, match=r"at most 1\.5 s"):
                await receive()

    run_apart(receive_all())


def test_bodies_in_tiny_chunks_do_not_hold_the_others_up() -> None:
    """Each chunk costs the server's loop as much whether it has one byte or thousands."""
    is_over = threading.Event()

    def send(address: str) -> None:
        while not is_over.is_set():
            with suppress(OSError), post_begun(address, "Transfer-Encoding: chunked") as connection:
                while not is_over.is_set():
                    connection.sendall(b"1\r\n \r\n" * 10_000)

    with common.uvicorn() as (address, _):
        senders = [threading.Thread(target=send, args=(address,), daemon=True) for _ in range(4)]
        for sender in senders:
            sender.start()
        health_s = []
        for _ in range(8):
            start = time.perf_counter()
            assert requests.get(f"{address}/health", timeout=60).ok
            health_s.append(time.perf_counter() - start)
        is_over.set()
        for sender in senders:
            sender.join()
    assert max(health_s) < 1


def test_threads_that_compute_give_way_to_the_loop_soon() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    try:
        api.create(load=FakeAnalyzer)
        assert sys.getswitchinterval() <= 0.001
    finally:
        sys.setswitchinterval(before)
