"""The batches of the page's visitors. Each runs in the server while its visitor is away, and its address, which nobody can
guess, leads back to it. Pictures lie in a private temporary folder until they are judged; results stay in memory for an hour
after they were last viewed, unless newer batches of the same visitor need their place."""

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

from models.errors import PartUnavailable
from models.io.flat_row import Row
from models.io.uploads import UPLOADS, Upload
from models.runtime.turns import yield_to_pages
from serving import problems
from serving.batch.inputs import Shard
from serving.batch.judge import Options, judge
from serving.batch.uploads import upload_shards

if TYPE_CHECKING:
    from models.analyzer import Analyzer

TTL_S = 3600.0  # after the last view
MAX_JOBS = 8  # finished, running and waiting together
MAX_OF_VISITOR = 2  # that run or wait
THUMBNAIL_SIDE = 96  # pixels of the longer side
Source = tuple[str, bytes | Path]  # the name that a visitor's file has, and the file: an upload's path, or all of it
State = Literal["waiting", "running", "done", "stopped", "failed"]
Lend = Callable[[], "AbstractContextManager[Analyzer]"]  # an analyzer that no switch of the profile takes away


class Job:
    """One batch. Its rows and thumbnails only grow, so that a reader may take them at any time."""

    def __init__(
        self, shards: Sequence[Shard], folder: Path, options: Options, visitor: str, uploads: Sequence[Upload]
    ) -> None:
        """`folder` and `uploads` are the job's own, and removed when it ends."""
        self.id = secrets.token_urlsafe(16)
        self.total = sum(len(shard) for shard in shards)
        self.options, self.visitor = options, visitor
        self.rows: list[Row] = []
        self.thumbnails: list[bytes | None] = []
        self.counts: Counter[str] = Counter()  # by label, and `error`
        self.state: State = "waiting"
        self.problem = ""
        self.viewed_at = time.monotonic()
        self.started_at = self.ended_at = 0.0
        self._shards, self._folder, self._uploads = shards, folder, uploads
        self._stop, self._lock = threading.Event(), threading.Lock()

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
        """End after the memes that are being judged; their rows stay. A batch that waits ends at once."""
        self._stop.set()
        with self._lock:
            if self.state == "waiting":
                self._end("stopped")

    def run(self, lend: Lend) -> None:
        """Judge everything by one analyzer, unless it was stopped already; called once, in a thread of the server."""
        with self._lock:
            if self.over:
                return
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
            self._end(end)

    def _end(self, end: State) -> None:
        self.ended_at = time.monotonic()
        shutil.rmtree(self._folder, ignore_errors=True)
        UPLOADS.remove(*self._uploads)
        self.state = end  # last: all else is final once the state is


class Jobs:
    """All batches of this server, one running at a time: two would only share the same cores. Thread-safe."""

    def __init__(self, *, ttl_s: float = TTL_S) -> None:
        self._ttl_s = ttl_s
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._starting: Counter[str] = Counter()  # by visitor: batches whose files are being looked through
        self._pool = ThreadPoolExecutor(1, "subtext-batch", yield_to_pages)

    def start(self, files: Iterable[Source], options: Options, lend: Lend, *, visitor: str = "") -> Job:
        """Start a batch of uploads, or queue it.

        Raises `BadInput` for what cannot be judged, `PartUnavailable` if the visitor or all of them have too many batches.
        """
        with self._lock:
            self._make_room(visitor)
            self._starting[visitor] += 1
        try:
            job = _prepare(files, options, visitor)
            with self._lock:
                self._jobs[job.id] = job
                self._pool.submit(job.run, lend)
        finally:
            with self._lock:
                self._starting[visitor] -= 1
                self._starting += Counter()  # drops visitors that start none
        return job

    def find(self, name: str | None) -> Job | None:
        """The batch with that id, if it is known; this counts as a view."""
        self.expire()
        with self._lock:
            job = self._jobs.get(name or "")
            if job is not None:
                job.viewed_at = time.monotonic()
            return job

    def forget(self, job: Job) -> None:
        """Stop a batch and drop its results."""
        job.stop()
        with self._lock:
            self._jobs.pop(job.id, None)

    def expire(self) -> None:
        """Forget the batches that wait or are over, and at which nobody has looked for the time to live."""
        with self._lock:
            idle = [job for job in self._jobs.values() if time.monotonic() - job.viewed_at > self._ttl_s]
            for job in idle:
                if job.state != "running":
                    self.forget(job)

    def close(self) -> None:
        """Stop all batches; those that wait do not begin."""
        with self._lock:
            for job in list(self._jobs.values()):
                self.forget(job)

    def _make_room(self, visitor: str) -> None:
        """Raises `PartUnavailable` where one more batch would be too many."""
        self.expire()
        jobs = list(self._jobs.values())
        unfinished = Counter(job.visitor for job in jobs if not job.over) + self._starting
        if unfinished[visitor] >= MAX_OF_VISITOR:
            raise PartUnavailable(
                f"You have {MAX_OF_VISITOR} batches here that are not done: wait for one of them, or stop one."
            )
        if len(jobs) + self._starting.total() < MAX_JOBS:
            return
        number = Counter(job.visitor for job in jobs) + self._starting + Counter([visitor])
        over = [job for job in jobs if job.over and number[job.visitor] > 1]
        if not over:
            raise PartUnavailable("This server has as many batches as it can keep: try again later.")
        self.forget(max(over, key=lambda job: (number[job.visitor], -job.viewed_at)))


JOBS = Jobs()
"""The batches of this process. They are not in Streamlit's caches, which any visitor can empty."""


def _prepare(files: Iterable[Source], options: Options, visitor: str) -> Job:
    folder = Path(tempfile.mkdtemp(dir=UPLOADS.folder.path))
    try:
        files = list(files)
        shards = upload_shards(folder, save(files, folder))
        uploads = UPLOADS.hand_over({data for _, data in files if isinstance(data, Path)})
        return Job(shards, folder, options, visitor, uploads)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def save(files: Iterable[Source], folder: Path) -> list[tuple[str, Path]]:
    """Put the files into a folder under numbers, since names come from the visitor; returns the names and the paths."""
    saved = []
    for number, (name, data) in enumerate(files):
        suffix = Path(name).suffix.lower()
        path = folder / f"{number:05d}{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
        if isinstance(data, Path):
            path.hardlink_to(data)  # both are in the folder of `UPLOADS`
        else:
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
