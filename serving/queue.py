"""A bounded queue before a few worker threads: what waits is put together into batches, what cannot be done in time
is refused at the door, and what was let in is answered.

There is no timer that waits for companions: while a batch runs, the next one gathers by itself, so a lone request is not
held up and a crowd shares the networks' work.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from serving.problems import Late, Overloaded

Run = Callable[[Hashable, Sequence[Any]], Sequence[Any]]
Watch = Callable[[str, float], None]
SMOOTHING = 0.2  # share of the newest batch in the running mean of a meme's time


@dataclass
class _Job:
    kind: Hashable
    work: Any
    future: asyncio.Future[Any]
    since: float = field(default_factory=time.perf_counter)


class WorkQueue:
    """Lives on one event loop: `start`, then `submit` from its tasks, `stop` in the end.

    run: (kind, works) to one answer each, in order, called in a worker's thread; an answer that is an exception belongs
    to its work alone. at_once: how many works of a kind may run together (1 for kinds that are not named).
    """

    def __init__(
        self,
        run: Run,
        *,
        most: int,
        workers: int = 1,
        at_once: Callable[[Hashable], int] = lambda _: 1,
        watch: Watch = lambda _name, _value: None,
    ) -> None:
        self.most, self.workers = most, workers
        self._run, self._at_once, self._watch = run, at_once, watch
        self._waiting: deque[_Job] = deque()
        self._running = 0
        self._each: dict[Hashable, float] = {}  # seconds that one work of a kind takes a worker
        self._open = False

    @property
    def length(self) -> int:
        """Works that wait or run."""
        return len(self._waiting) + self._running

    async def start(self) -> None:
        """Begin to work."""
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="subtext-work")
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self.workers)]
        self._open = True

    async def stop(self) -> None:
        """Take nothing more, answer what was taken, then let the threads go."""
        self._open = False
        while self.length:
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown()

    def expected(self, kind: Hashable, count: int) -> float:
        """Seconds until `count` further works of a kind would be done, as far as the last ones tell."""
        ahead = sum(self._each.get(job.kind, 0.0) for job in self._waiting) + count * self._each.get(kind, 0.0)
        return ahead / self.workers

    async def submit(self, kind: Hashable, works: Sequence[Any], *, within: float) -> list[Any]:
        """One answer or exception for each work, in their order.

        Raises `Overloaded` where there is no room or no hope to be done within so many seconds, and `Late` where it
        turned out so; both tell when to come again.
        """
        expected = self.expected(kind, len(works))
        if not self._open:
            raise Overloaded("The server is stopping.", 5)
        if self.length + len(works) > self.most:
            raise Overloaded("The queue is full.", max(1, math.ceil(expected)))
        if expected > within:
            raise Overloaded(f"The queue would take longer than the {within:g} s that there are.", math.ceil(expected))
        loop = asyncio.get_running_loop()
        jobs = [_Job(kind, work, loop.create_future()) for work in works]
        self._waiting.extend(jobs)
        self._wake.set()
        try:
            async with asyncio.timeout(within):
                return await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
        except TimeoutError as error:
            raise Late(f"It was not done within {within:g} s.", max(1, math.ceil(self.expected(kind, 1)))) from error
        finally:
            for job in jobs:
                job.future.cancel()  # only those that nobody waits for any more; the workers pass over them

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            jobs = self._take()
            if not jobs:
                self._wake.clear()
                await self._wake.wait()
                continue
            start = time.perf_counter()
            for job in jobs:
                self._watch("waited", start - job.since)
            self._watch("batch", len(jobs))
            kind = jobs[0].kind
            try:
                answers = await loop.run_in_executor(self._pool, self._run, kind, [job.work for job in jobs])
                if len(answers) != len(jobs):
                    raise RuntimeError(f"{len(jobs)} works of kind {kind!r} got {len(answers)} answers")
            except Exception as error:
                answers = [error] * len(jobs)
            finally:
                self._running -= len(jobs)
            each = (time.perf_counter() - start) / len(jobs)
            self._each[kind] = each + (1 - SMOOTHING) * (self._each.get(kind, each) - each)
            for job, answer in zip(jobs, answers, strict=True):
                if job.future.done():
                    continue
                if isinstance(answer, BaseException):
                    job.future.set_exception(answer)
                else:
                    job.future.set_result(answer)

    def _take(self) -> list[_Job]:
        """The oldest work and others of its kind; those between keep their turn."""
        while self._waiting and self._waiting[0].future.done():
            self._waiting.popleft()
        if not self._waiting:
            return []
        first = self._waiting.popleft()
        jobs, passed = [first], deque[_Job]()
        most = self._at_once(first.kind)
        while self._waiting and len(jobs) < most:
            job = self._waiting.popleft()
            if job.future.done():
                continue
            (jobs if job.kind == first.kind else passed).append(job)
        self._waiting.extendleft(reversed(passed))
        self._running += len(jobs)
        return jobs
