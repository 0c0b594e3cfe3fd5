"""The batches of a page's visitors: each goes on in the server while its visitor is away, and is found again by an
address that nobody can guess. Pictures lie in a private temporary folder until they are judged; results are kept in
memory for an hour after they were last looked at, then forgotten."""

from __future__ import annotations

import io
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from models.errors import BadInput, PartUnavailable
from models.io.flat_row import Row
from serving import problems
from serving.batch import uploads
from serving.batch.judge import Options, judged

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from serving.batch.items import Item, Shard

KEPT_S = 3600.0
MOST_JOBS = 8  # finished, running and waiting together
MOST_BYTES = 1024**3  # of one batch's uploads
THUMBNAIL = 96  # pixels of the longer side
State = Literal["waiting", "running", "done", "stopped", "failed"]


class Job:
    """One batch. Its rows and thumbnails only grow; a reader takes as many as there are at that moment."""

    def __init__(self, shards: Sequence[Shard], folder: Path, options: Options) -> None:
        self.id = secrets.token_urlsafe(16)
        self.total = sum(len(shard) for shard in shards)
        self.options = options
        self.rows: list[Row] = []
        self.thumbnails: list[bytes | None] = []
        self.counts: Counter[str] = Counter()  # by label, and `error`
        self.state: State = "waiting"
        self.problem = ""
        self.seen = time.monotonic()
        self.started = self.ended = 0.0
        self._shards, self._folder = shards, folder
        self._stop = threading.Event()

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return self.state in ("done", "stopped", "failed")

    @property
    def speed(self) -> float:
        """Memes a second since it began."""
        took = (self.ended or time.monotonic()) - self.started
        return len(self.rows) / took if self.started and took > 0 else 0.0

    def stop(self) -> None:
        """End after the memes that are being judged; what is there stays."""
        self._stop.set()

    def run(self, analyzer: Callable[[], Analyzer]) -> None:
        """Judge everything; called once, in a thread of the server."""
        self.started = time.monotonic()
        self.state = "running"
        end: State = "failed"
        try:
            for row, meme in judged(self._items(), analyzer(), self.options):
                self.thumbnails.append(thumbnail(meme.image) if meme is not None and meme.image is not None else None)
                self.counts[row.label or "error"] += 1
                self.rows.append(row)  # last: readers go by the number of rows
            end = "stopped" if self._stop.is_set() else "done"
        except Exception as error:
            self.problem = problems.sentence(error)
        finally:
            self.ended = time.monotonic()
            self.clear()
            self.state = end  # last: whoever sees it over finds all of it done

    def clear(self) -> None:
        """The uploaded files go."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _items(self) -> Iterator[Item]:
        for item in chain.from_iterable(shard.items() for shard in self._shards):
            if self._stop.is_set():
                return
            yield item


class Jobs:
    """All batches of this server, one running at a time: two would only share the same cores."""

    def __init__(self, analyzer: Callable[[], Analyzer], *, kept_s: float = KEPT_S) -> None:
        self._analyzer, self._kept_s = analyzer, kept_s
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="subtext-batch")

    def start(self, files: Iterable[tuple[str, bytes | memoryview]], options: Options) -> Job:
        """Take uploads (name and bytes) and begin, or wait for a turn. Raises `BadInput` with what to change."""
        self._forget_old()
        if len(self._jobs) >= MOST_JOBS:
            raise PartUnavailable("This server holds as many batches as it can: try again later, or delete an old one.")
        folder = Path(tempfile.mkdtemp(prefix="subtext-batch-"))  # readable by this user alone
        try:
            job = Job(uploads.shards(folder, spooled(files, folder)), folder, options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            self._jobs[job.id] = job
        self._pool.submit(job.run, self._analyzer)
        return job

    def find(self, name: str | None) -> Job | None:
        """The batch of that address, which is kept for another hour."""
        self._forget_old()
        job = self._jobs.get(name or "")
        if job is not None:
            job.seen = time.monotonic()
        return job

    def forget(self, job: Job) -> None:
        """Stop it and drop all that is known of it."""
        job.stop()
        with self._lock:
            self._jobs.pop(job.id, None)

    def _forget_old(self) -> None:
        for job in list(self._jobs.values()):
            if job.over and time.monotonic() - job.seen > self._kept_s:
                self.forget(job)


def spooled(files: Iterable[tuple[str, bytes | memoryview]], folder: Path) -> list[tuple[str, Path]]:
    """The uploads on the disk, under numbers: names are the visitor's and lead nowhere."""
    given, size = [], 0
    for number, (name, data) in enumerate(files):
        size += len(data)
        if size > MOST_BYTES:
            raise BadInput("These files have more than 1 GB together: give fewer, or run `python -m serving.batch`.")
        suffix = Path(name).suffix.lower()
        path = folder / f"{number:05d}{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
        path.write_bytes(data)
        given.append((name, path))
    return given


def thumbnail(image: Image.Image) -> bytes:
    """A small WebP for the table, some two kilobytes."""
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=2.0)
    held = io.BytesIO()
    small.save(held, "WEBP", quality=60)
    return held.getvalue()
