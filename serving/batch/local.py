"""Shards on this machine: in this process, or in several that have an analyzer each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING

from models.errors import PartUnavailable
from serving.batch.items import Shard
from serving.batch.judge import Options, judge
from serving.batch.output import Output

if TYPE_CHECKING:
    from models.analyzer import Analyzer

MAX_TRIES = 3  # times that the shards of lost workers are started


@dataclass(frozen=True)
class Done:
    """A written shard: its number, the number of its memes, and how many of them have an error."""

    number: int
    memes: int
    errors: int


@dataclass(frozen=True)
class Work:
    """What a worker does with a shard: judge its memes and write the rows."""

    output: Output
    options: Options
    profile: str = "auto"
    threads: int = 0

    def __call__(self, shard: Shard) -> Done:
        """Judge a shard and write it. A second call leaves the same file."""
        rows = [row for row, _ in judge(shard.items(), load_analyzer(self.profile, self.threads), self.options)]
        self.output.write(shard.number, rows)
        return Done(shard.number, len(rows), sum(row.status == "error" for row in rows))


@cache
def load_analyzer(profile: str, threads: int) -> Analyzer:
    """The analyzer of this process."""
    from models.analyzer import Analyzer

    return Analyzer(profile, threads=threads)


def run(shards: Sequence[Shard], work: Work, *, workers: int = 1) -> Iterator[Done]:
    """Every shard once, in the order in which they finish.

    If a worker dies (killed, out of memory), the unfinished shards are started again with new workers. Raises
    `PartUnavailable` after `MAX_TRIES` times.
    """
    if workers <= 1:
        yield from map(work, shards)
        return
    remaining = {shard.number: shard for shard in shards}
    for _ in range(MAX_TRIES):
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                for future in as_completed([pool.submit(work, shard) for shard in remaining.values()]):
                    done = future.result()
                    del remaining[done.number]
                    yield done
            return
        except BrokenProcessPool:
            continue
    raise PartUnavailable(
        f"A worker ended {MAX_TRIES} times before its shard was done, most likely for want of memory: "
        "run the same command with fewer --workers, and it goes on where it stopped."
    )


def threads_per_worker(workers: int) -> int:
    """Threads for each worker, so that together they use each core once."""
    return max(1, (os.cpu_count() or 1) // workers)
