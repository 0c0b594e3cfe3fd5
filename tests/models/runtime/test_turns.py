"""Turns: never more than there is, pages first, and nobody waits for ever."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.runtime import turns
from models.runtime.turns import BATCH_S, REQUEST_S, Turns, patient


class Queue:
    """Threads that wait for what this one holds; `order` names them as they got their turn."""

    def __init__(self, units: int = 1) -> None:
        self.turns, self.order = Turns(units), list[str]()
        self.threads: list[threading.Thread] = []

    def wait(self, name: str, *, patience_s: float = 0.0, units: int = 1) -> None:
        def run() -> None:
            with patient(patience_s), self.turns.take(units):
                self.order.append(name)

        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)
        while len(self.turns._waiting) + len(self.order) < len(self.threads):
            time.sleep(0.001)

    def end(self) -> list[str]:
        for thread in self.threads:
            thread.join(10)
        return self.order


def test_pages_go_before_requests_and_these_before_batches() -> None:
    queue = Queue()
    with queue.turns.take():
        queue.wait("batch", patience_s=BATCH_S)
        queue.wait("request", patience_s=REQUEST_S)
        queue.wait("page")
        queue.wait("second page")
    assert queue.end() == ["page", "second page", "request", "batch"]


def test_who_has_waited_long_enough_goes_before_who_comes_now(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])
    queue = Queue()
    with queue.turns.take():
        queue.wait("batch", patience_s=BATCH_S)
        now[0] = BATCH_S + 1
        queue.wait("page")
    assert queue.end() == ["batch", "page"]


def test_small_shares_do_not_starve_a_large_one() -> None:
    queue = Queue(4)
    with queue.turns.take(2):
        queue.wait("all", units=9)
        queue.wait("small", units=1)
        assert queue.order == []
    assert queue.end() == ["all", "small"]


def test_units_are_given_back_after_a_failure_and_nothing_takes_no_turn() -> None:
    shares = Turns(2)
    with pytest.raises(ZeroDivisionError), shares.take(2):
        raise ZeroDivisionError
    with shares.take(2), shares.take(0):
        pass


def test_never_more_than_there_is() -> None:
    shares, lock, now, most = Turns(5), threading.Lock(), 0, 0

    def work(units: int) -> None:
        nonlocal now, most
        for _ in range(20):
            with shares.take(units):
                with lock:
                    now += units
                    most = max(most, now)
                time.sleep(0.0002)
                with lock:
                    now -= units

    threads = [threading.Thread(target=work, args=(units,)) for units in (1, 2, 3, 4, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (now, most) == (0, 5)


def test_a_network_runs_for_a_page_while_others_wait() -> None:
    """Batches and requests hold all turns but one, which no number of them takes from the pages."""
    at_once, most, ended = 0, 0, threading.Event()
    lock = threading.Lock()

    def run_long() -> None:
        nonlocal at_once, most
        with patient(REQUEST_S), turns.computing():
            with lock:
                at_once += 1
                most = max(most, at_once)
            ended.wait(20)
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=run_long) for _ in range(turns._COMPUTING.units + 2)]
    for thread in threads:
        thread.start()
    while at_once < turns._COMPUTING.units - 1:
        time.sleep(0.001)
    with turns.computing():  # this thread's is a page's
        ended.set()
    for thread in threads:
        thread.join(20)
    assert most == turns._COMPUTING.units - 1


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_thread_for_requests_has_a_lower_priority() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1, initializer=turns.yield_to_pages) as pool:
        theirs = pool.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result()
    assert (os.getpriority(os.PRIO_PROCESS, 0), theirs) == (own, min(19, own + turns.NICE))


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_where_priorities_are_forbidden_threads_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*arguments: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbid)
    with ThreadPoolExecutor(1, initializer=turns.yield_to_pages) as pool:
        assert pool.submit(lambda: "works").result() == "works"
