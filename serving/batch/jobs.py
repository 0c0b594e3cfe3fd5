"""The batches of the page's visitors. Each runs in the server while its visitor is away, and its address, which nobody can
guess, leads back to it. Pictures lie in a private temporary folder until they are judged; results stay in memory for an hour
after they were last viewed."""

from __future__ import annotations

import io
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from models.errors import BadInput, PartUnavailable
from models.io.flat_row import Row
from serving import problems
from serving.batch.inputs import Shard
from serving.batch.judge import Options, judge
from serving.batch.uploads import upload_shards

if TYPE_CHECKING:
    from models.analyzer import Analyzer

TTL_S = 3600.0  # after the last view
MAX_JOBS = 8  # finished, running and waiting together
MAX_BYTES = 1024**3  # of one batch's uploads
THUMBNAIL_SIDE = 96  # pixels of the longer side
State = Literal["waiting", "running", "done", "stopped", "failed"]
Lend = Callable[[], "AbstractContextManager[Analyzer]"]  # an analyzer that no switch of the profile takes away


class Job:
    """One batch. Its rows and thumbnails only grow, so that a reader may take them at any time."""

    def __init__(self, shards: Sequence[Shard], folder: Path, options: Options) -> None:
        self.id = secrets.token_urlsafe(16)
        self.total = sum(len(shard) for shard in shards)
        self.options = options
        self.rows: list[Row] = []
        self.thumbnails: list[bytes | None] = []
        self.counts: Counter[str] = Counter()  # by label, and `error`
        self.state: State = "waiting"
        self.problem = ""
        self.viewed_at = time.monotonic()
        self.started_at = self.ended_at = 0.0
        self._shards, self._folder = shards, folder
        self._stop = threading.Event()

    @property
    def over(self) -> bool:
        """Whether no more rows will come."""
        return self.state in ("done", "stopped", "failed")

    @property
    def speed(self) -> float:
        """Memes a second since the start."""
        seconds = (self.ended_at or time.monotonic()) - self.started_at
        return len(self.rows) / seconds if self.started_at and seconds > 0 else 0.0

    def stop(self) -> None:
        """End after the memes that are being judged; their rows stay."""
        self._stop.set()

    def run(self, lend: Lend) -> None:
        """Judge everything by one analyzer; called once, in a thread of the server."""
        self.started_at = time.monotonic()
        self.state = "running"
        end: State = "failed"
        try:
            items = chain.from_iterable(shard.items() for shard in self._shards)
            wanted = takewhile(lambda _: not self._stop.is_set(), items)
            with lend() as analyzer:
                for row, meme in judge(wanted, analyzer, self.options):
                    image = None if meme is None else meme.image
                    self.thumbnails.append(None if image is None else thumbnail(image))
                    self.counts[row.label or "error"] += 1
                    self.rows.append(row)  # last: readers count the rows
            end = "stopped" if self._stop.is_set() else "done"
        except Exception as error:
            self.problem = problems.sentence(error)
        finally:
            self.ended_at = time.monotonic()
            shutil.rmtree(self._folder, ignore_errors=True)
            self.state = end  # last: all else is final once the state is


class Jobs:
    """All batches of this server, one running at a time: two would only share the same cores."""

    def __init__(self, *, ttl_s: float = TTL_S) -> None:
        self._ttl_s = ttl_s
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="subtext-batch")

    def start(self, files: Iterable[tuple[str, bytes | memoryview]], options: Options, lend: Lend) -> Job:
        """Start a batch of uploads (name and bytes), or queue it. Raises `BadInput`, or `PartUnavailable` if there are too many."""
        self._expire()
        if len(self._jobs) >= MAX_JOBS:
            raise PartUnavailable("This server holds as many batches as it can: try again later, or delete an old one.")
        folder = Path(tempfile.mkdtemp(prefix="subtext-batch-"))  # readable by this user alone
        try:
            job = Job(upload_shards(folder, save(files, folder)), folder, options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._jobs[job.id] = job
        self._pool.submit(job.run, lend)
        return job

    def find(self, name: str | None) -> Job | None:
        """The batch with that id, if it is known; this counts as a view."""
        self._expire()
        job = self._jobs.get(name or "")
        if job is not None:
            job.viewed_at = time.monotonic()
        return job

    def forget(self, job: Job) -> None:
        """Stop a batch and drop its results."""
        job.stop()
        self._jobs.pop(job.id, None)

    def _expire(self) -> None:
        for job in list(self._jobs.values()):
            if job.over and time.monotonic() - job.viewed_at > self._ttl_s:
                self.forget(job)


JOBS = Jobs()
"""The batches of this process. They are not in Streamlit's caches, which any visitor can empty."""


def save(files: Iterable[tuple[str, bytes | memoryview]], folder: Path) -> list[tuple[str, Path]]:
    """Write the uploads under numbers, since names come from the visitor; returns the names and the paths."""
    saved, size = [], 0
    for number, (name, data) in enumerate(files):
        size += len(data)
        if size > MAX_BYTES:
            raise BadInput("These files have more than 1 GB together: give fewer, or run `python -m serving.batch`.")
        suffix = Path(name).suffix.lower()
        path = folder / f"{number:05d}{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
        path.write_bytes(data)
        saved.append((name, path))
    return saved


def thumbnail(image: Image.Image) -> bytes:
    """A small WebP for the table, about 2 kB."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=60)
    return buffer.getvalue()
