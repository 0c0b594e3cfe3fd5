"""Shards on this machine: in this process, or in several, each with an analyzer of its own."""

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
from serving.batch.judge import Options, judged
from serving.batch.output import Output

if TYPE_CHECKING:
    from models.analyzer import Analyzer

TRIES = 3  # times that a lost worker's shards are begun anew


@dataclass(frozen=True)
class Done:
    """A shard that is written: its number, its memes, and how many of them had an error."""

    number: int
    memes: int
    errors: int


@dataclass(frozen=True)
class Work:
    """All that a worker needs beside the shard."""

    output: Output
    options: Options
    profile: str = "auto"
    threads: int = 0

    def __call__(self, shard: Shard) -> Done:
        """Judge a shard and write it. Done twice it leaves the same file."""
        rows = [row for row, _ in judged(shard.items(), analyzer(self.profile, self.threads), self.options)]
        self.output.write(shard.number, rows)
        return Done(shard.number, len(rows), sum(row.status == "error" for row in rows))


@cache
def analyzer(profile: str, threads: int) -> Analyzer:
    """The one of this process."""
    from models.analyzer import Analyzer

    return Analyzer(profile, threads=threads)


def run(shards: Sequence[Shard], work: Work, *, workers: int = 1) -> Iterator[Done]:
    """Every shard once, as each is finished. A worker that dies (killed, out of memory) is replaced, and what it had
    begun is done again."""
    if workers <= 1:
        yield from map(work, shards)
        return
    left = {shard.number: shard for shard in shards}
    for _ in range(TRIES):
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                for future in as_completed([pool.submit(work, shard) for shard in left.values()]):
                    done = future.result()
                    del left[done.number]
                    yield done
            return
        except BrokenProcessPool:
            continue
    raise PartUnavailable(
        f"A worker ended {TRIES} times before its shard was done, most likely for want of memory: "
        "run the same command with fewer --workers, and it goes on where it stopped."
    )


def share(workers: int) -> int:
    """Threads for each of so many workers, so that together they use each core once."""
    return max(1, (os.cpu_count() or 1) // workers)
