"""A bounded queue before a few worker threads: waiting items of a kind are computed in batches, an item that cannot be
done in time is refused on arrival, and whatever was accepted is answered.

No timer waits for a batch to fill: while one batch runs, the next one gathers, so a lone request is not held up and
many requests share the networks' work. Callers take turns, and so do the requests of each: the time that one was worked for
counts as if it had come that much later, so that many or heavy items keep nobody else waiting. One worker is left to the others.
"""

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from models.runtime.turns import yield_to_pages
from serving.problems import DeadlineExceeded, Overloaded

SMOOTHING = 0.2  # weight of the newest batch in the moving average of an item's time


@dataclass(eq=False)  # compared by identity
class _Caller:
    due: float = 0.0  # when it came, plus the seconds that workers had its items
    running: int = 0  # batches with its items
    requests: int = 0  # that are not answered


@dataclass(eq=False)
class _Request:
    caller: _Caller
    due: float = field(default_factory=time.perf_counter)  # when it came, plus the seconds that a worker had it


@dataclass(eq=False)
class _Task:
    kind: Hashable
    item: Any
    future: asyncio.Future[Any]
    request: _Request
    queued_at: float = field(default_factory=time.perf_counter)


class WorkQueue:
    """Lives on one event loop: `start` it, `submit` from the loop's tasks, `stop` it in the end.

    run: (kind, items) to one answer each, in order, called in a worker thread; an answer that is an exception belongs
    to its item alone. It may answer the first items only: the others wait again. batch_size: how many items of a kind
    may run together. observe: called for each batch with the seconds that its items waited.
    """

    def __init__(
        self,
        run: Callable[[Any, Sequence[Any]], Sequence[Any]],
        *,
        max_length: int,
        workers: int = 1,
        batch_size: Callable[[Any], int] = lambda _: 1,
        observe: Callable[[Sequence[float]], None] = lambda _: None,
    ) -> None:
        self.max_length, self.workers = max_length, workers
        self._workers_of_caller = max(1, workers - 1)
        self._run, self._batch_size, self._observe = run, batch_size, observe
        self._waiting: deque[_Task] = deque()
        self._running = 0
        self._callers: dict[str, _Caller] = {}
        self._mean_s: dict[Hashable, float] = {}  # moving average of a worker's seconds for one item of a kind
        self._open = False

    @property
    def length(self) -> int:
        """Items that wait or run."""
        return len(self._waiting) + self._running

    async def start(self) -> None:
        """Start the workers."""
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(self.workers, "subtext-work", yield_to_pages)
        self._loops = [asyncio.create_task(self._work()) for _ in range(self.workers)]
        self._open = True

    async def stop(self) -> None:
        """Accept nothing more, answer what was accepted, then end the threads."""
        self._open = False
        while self.length:
            await asyncio.sleep(0.01)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._pool.shutdown()

    def expected_s(self, kind: Hashable, count: int, caller: str = "") -> float:
        """Estimated seconds until `count` more items of a kind are done for a caller."""
        own = count * self._mean_s.get(kind, 0.0)
        others: dict[object, float] = defaultdict(float)
        for task in self._waiting:
            is_own = task.request.caller is self._callers.get(caller)
            others[task.request if is_own else task.request.caller] += self._mean_s.get(task.kind, 0.0)
        return (own + sum(min(own, seconds) for seconds in others.values())) / self._workers_of_caller

    async def submit(self, kind: Hashable, items: Sequence[Any], *, deadline_s: float, caller: str = "") -> list[Any]:
        """One answer or exception for each item of the caller, in their order.

        Raises `Overloaded` if there is no room or the items are not expected to be done within `deadline_s` seconds, and
        `DeadlineExceeded` if they were accepted and were not done in time. Both say when to try again.
        """
        expected = self.expected_s(kind, len(items), caller)
        if not self._open:
            raise Overloaded("The server is stopping.", 5)
        if self.length + len(items) > self.max_length:
            raise Overloaded("The queue is full.", max(1, math.ceil(expected)))
        if expected > deadline_s:
            raise Overloaded(
                f"The queue would take longer than the {deadline_s:g} s that there are.", math.ceil(expected)
            )
        loop = asyncio.get_running_loop()
        request = _Request(self._caller(caller))
        request.caller.requests += 1
        tasks = [_Task(kind, item, loop.create_future(), request) for item in items]
        self._waiting.extend(tasks)
        self._wake.set()
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.gather(*(task.future for task in tasks), return_exceptions=True)
        except TimeoutError as error:
            retry_after = max(1, math.ceil(self.expected_s(kind, 1, caller)))
            raise DeadlineExceeded(f"It was not done within {deadline_s:g} s.", retry_after) from error
        finally:
            request.caller.requests -= 1
            for task in tasks:
                task.future.cancel()  # no effect on finished ones; the workers skip the others

    def _caller(self, name: str) -> _Caller:
        """The caller of that name, due from now on; those without requests and without a debt are forgotten."""
        now = time.perf_counter()
        self._callers = {name: caller for name, caller in self._callers.items() if caller.due > now or caller.requests}
        caller = self._callers.setdefault(name, _Caller())
        caller.due = max(caller.due, now)
        return caller

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            tasks = self._next_batch()
            if not tasks:
                self._wake.clear()
                await self._wake.wait()
                continue
            start = time.perf_counter()
            self._observe([start - task.queued_at for task in tasks])
            kind = tasks[0].kind
            try:
                answers = await loop.run_in_executor(self._pool, self._run, kind, [task.item for task in tasks])
                if not 0 < len(answers) <= len(tasks):
                    raise RuntimeError(f"{len(tasks)} items of kind {kind!r} got {len(answers)} answers")
            except Exception as error:
                answers = [error] * len(tasks)
            finally:
                self._count(tasks, -1)
                self._wake.set()
            mean_s = (time.perf_counter() - start) / len(answers)
            for task in tasks[: len(answers)]:
                task.request.due += mean_s
                task.request.caller.due += mean_s
            self._mean_s[kind] = mean_s + (1 - SMOOTHING) * (self._mean_s.get(kind, mean_s) - mean_s)
            if len(answers) < len(tasks):
                self._waiting.extend(tasks[len(answers) :])
            for task, answer in zip(tasks, answers, strict=False):  # the others wait
                if task.future.done():
                    continue
                if isinstance(answer, BaseException):
                    task.future.set_exception(answer)
                else:
                    task.future.set_result(answer)

    def _next_batch(self) -> list[_Task]:
        """The task that is due first and others of its kind; the tasks between them keep their place."""
        self._waiting = deque(task for task in self._waiting if not task.future.done())
        allowed = [task for task in self._waiting if task.request.caller.running < self._workers_of_caller]
        if not allowed:
            return []
        allowed.sort(key=lambda task: (task.request.caller.due, task.request.due))
        same_kind = [task for task in allowed if task.kind == allowed[0].kind]
        batch = same_kind[: self._batch_size(allowed[0].kind)]
        self._waiting = deque(task for task in self._waiting if task not in batch)
        self._count(batch, 1)
        return batch

    def _count(self, batch: Sequence[_Task], change: int) -> None:
        self._running += change * len(batch)
        for caller in {task.request.caller for task in batch}:
            caller.running += change
