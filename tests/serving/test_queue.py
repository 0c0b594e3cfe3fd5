"""The queue: together what came together, refused at the door what cannot be done, answered what was let in."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from serving.problems import DeadlineExceeded, Overloaded
from serving.queue import WorkQueue


class BlockedRun:
    """Answers with ten times the work once `gate` is open; remembers the batches."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[tuple[Any, list[Any]]] = []

    def __call__(self, kind: Any, items: Sequence[Any]) -> list[Any]:
        self.batches.append((kind, list(items)))
        assert self.gate.wait(20)
        return [ValueError("odd") if item == 13 else item * 10 for item in items]


def run(test: Callable[[WorkQueue, BlockedRun], Awaitable[None]], **settings: Any) -> BlockedRun:
    blocked = BlockedRun()

    async def whole() -> None:
        queue = WorkQueue(
            blocked, **{"max_length": 8, "batch_size": lambda kind: 4 if kind == "score" else 1, **settings}
        )
        await queue.start()
        try:
            await test(queue, blocked)
        finally:
            blocked.gate.set()
            await queue.stop()

    with ThreadPoolExecutor(1) as thread:  # its own: where a browser is driven in this process, a loop runs already
        thread.submit(asyncio.run, whole()).result()
    return blocked


async def soon(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it took too long")


def test_what_waits_is_batched_by_kind_and_each_gets_its_own_answer() -> None:
    async def test(queue: WorkQueue, blocked: BlockedRun) -> None:
        first = asyncio.create_task(queue.submit("score", [1], deadline_s=20))
        await soon(lambda: len(blocked.batches) == 1)
        rest = [
            asyncio.create_task(queue.submit(kind, items, deadline_s=20))
            for kind, items in (("score", [2, 3]), ("other", [4]), ("score", [5, 6, 7]))
        ]
        await soon(lambda: queue.length == 7)
        blocked.gate.set()
        assert await asyncio.gather(first, *rest) == [[10], [20, 30], [40], [50, 60, 70]]

    assert run(test).batches == [("score", [1]), ("score", [2, 3, 5, 6]), ("other", [4]), ("score", [7])]


def test_a_full_queue_refuses_at_the_door_and_loses_nothing_that_it_took() -> None:
    async def test(queue: WorkQueue, blocked: BlockedRun) -> None:
        taken = [asyncio.create_task(queue.submit("other", [n], deadline_s=20)) for n in range(8)]
        await soon(lambda: queue.length == 8)
        with pytest.raises(Overloaded, match="full") as refused:
            await queue.submit("other", [99], deadline_s=20)
        assert refused.value.retry_after and refused.value.retry_after >= 1
        blocked.gate.set()
        assert await asyncio.gather(*taken) == [[n * 10] for n in range(8)]

    assert ("other", [99]) not in run(test).batches


def test_what_is_not_done_in_time_is_told_and_never_computed() -> None:
    async def test(queue: WorkQueue, blocked: BlockedRun) -> None:
        first = asyncio.create_task(queue.submit("other", [1], deadline_s=20))
        await soon(lambda: len(blocked.batches) == 1)
        with pytest.raises(DeadlineExceeded, match="again"):
            await queue.submit("other", [2], deadline_s=0.05)
        blocked.gate.set()
        assert await first == [10]
        assert await queue.submit("other", [3], deadline_s=20) == [30]

    assert [items for _, items in run(test).batches] == [[1], [3]]


def test_no_hope_to_be_done_in_time_is_told_before_waiting() -> None:
    async def test(queue: WorkQueue, blocked: BlockedRun) -> None:
        blocked.gate.set()
        queue._mean_s["other"] = 5.0  # what the last ones took
        with pytest.raises(Overloaded, match="longer than the 2 s") as refused:
            await queue.submit("other", [1], deadline_s=2)
        assert refused.value.retry_after == 5
        assert await queue.submit("other", [1], deadline_s=6) == [10]

    run(test)


def test_a_failure_belongs_to_its_own_work() -> None:
    async def test(queue: WorkQueue, blocked: BlockedRun) -> None:
        blocked.gate.set()
        good, bad, also = await queue.submit("score", [1, 13, 2], deadline_s=20)
        assert (good, also) == (10, 20)
        assert isinstance(bad, ValueError)

    run(test)


def test_a_run_that_fails_as_a_whole_fails_its_batch_and_the_queue_goes_on() -> None:
    def failing(kind: Any, items: Sequence[Any]) -> list[Any]:
        if kind == "bad":
            raise ZeroDivisionError
        return list(items)

    async def whole() -> None:
        queue = WorkQueue(failing, max_length=4)
        await queue.start()
        (failed,) = await queue.submit("bad", [1], deadline_s=20)
        assert isinstance(failed, ZeroDivisionError)
        assert await queue.submit("good", [2], deadline_s=20) == [2]
        assert queue.length == 0
        await queue.stop()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, whole()).result()


def test_what_a_run_leaves_waits_again_and_a_small_request_does_not_wait_for_a_large_one() -> None:
    batches: list[list[int]] = []

    def two(kind: Any, items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        time.sleep(0.05)
        return [item * 10 for item in items[:2]]

    async def whole() -> None:
        queue = WorkQueue(two, max_length=64, batch_size=lambda _: 16)
        await queue.start()
        assert await queue.submit("score", [1, 2], deadline_s=20) == [
            10,
            20,
        ]  # how long one takes is known from here on
        large = asyncio.create_task(queue.submit("score", list(range(100, 132)), deadline_s=20))
        await soon(lambda: len(batches) == 2)
        assert await queue.submit("score", [7], deadline_s=20) == [70]
        assert len(batches) <= 4 and not large.done()
        assert await large == [item * 10 for item in range(100, 132)]
        assert queue.length == 0
        await queue.stop()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, whole()).result()


def test_stopping_answers_what_was_taken_and_takes_no_more() -> None:
    async def test(queue: WorkQueue, blocked: BlockedRun) -> None:
        taken = [asyncio.create_task(queue.submit("other", [n], deadline_s=20)) for n in range(3)]
        await soon(lambda: queue.length == 3)
        stopping = asyncio.create_task(queue.stop())
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="stopping"):
            await queue.submit("other", [9], deadline_s=20)
        blocked.gate.set()
        assert await asyncio.gather(*taken) == [[0], [10], [20]]
        await stopping

    run(test)


def test_a_caller_with_many_requests_keeps_no_other_waiting() -> None:
    order: list[int] = []

    def answer(kind: Any, items: Sequence[int]) -> list[int]:
        order.extend(items)
        time.sleep(0.05)
        return list(items)

    async def whole() -> None:
        queue = WorkQueue(answer, max_length=64)
        await queue.start()
        flood = [asyncio.create_task(queue.submit("a", [n], deadline_s=20, caller="many")) for n in range(20)]
        await soon(lambda: len(order) == 3)
        assert queue.expected_s("a", 1, "few") < queue.expected_s("a", 1, "many") / 4
        for n in (100, 101):
            assert await queue.submit("a", [n], deadline_s=20, caller="few") == [n]
        assert order.index(101) <= 7
        assert await asyncio.gather(*flood) == [[n] for n in range(20)]
        await queue.stop()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, whole()).result()


def test_one_worker_is_left_to_other_callers() -> None:
    gate, running = threading.Event(), 0

    def blocked(kind: Any, items: Sequence[int]) -> list[int]:
        nonlocal running
        if kind == "slow" and not gate.is_set():
            running += 1
            gate.wait(20)
        return list(items)

    async def whole() -> None:
        queue = WorkQueue(blocked, max_length=64, workers=3)
        await queue.start()
        slow = [asyncio.create_task(queue.submit("slow", [n], deadline_s=20, caller="many")) for n in range(5)]
        await soon(lambda: running == 2)
        await asyncio.sleep(0.1)  # in which a third could begin
        fast = asyncio.create_task(queue.submit("fast", [9], deadline_s=20, caller="few"))
        done, _ = await asyncio.wait([fast], timeout=10)
        gate.set()
        assert done and fast.result() == [9] and running == 2
        assert await asyncio.gather(*slow) == [[n] for n in range(5)]
        await queue.stop()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, whole()).result()
