"""The batches of the page's visitors: uploads (pictures, ZIPs of pictures, and tables with their captions) as shards, and
jobs. Each runs in the server while its visitor is away, and its address, which nobody can guess, leads back to it. Pictures
lie in a private temporary folder until they are judged; results stay in memory for an hour after they were last viewed."""

from __future__ import annotations

import io
import secrets
import shutil
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, groupby, takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from PIL import Image

from models.errors import BadInput, PartUnavailable
from models.io.archives import is_picture
from models.io.flat_row import Row
from serving import problems
from serving.batch import inputs
from serving.batch.inputs import Files, ParquetSlice, Ref, Shard
from serving.batch.judge import Options, judge

if TYPE_CHECKING:
    from models.analyzer import Analyzer

MAX_MEMES = 10_000  # larger inputs belong to the command
TABLES = (".csv", ".parquet")
ROWS_PER_SHARD = 1_000_000  # nothing of a page's batch is written shard by shard
TTL_S = 3600.0  # after the last view
MAX_JOBS = 8  # finished, running and waiting together
MAX_BYTES = 1024**3  # of one batch's uploads
THUMBNAIL_SIDE = 96  # pixels of the longer side
State = Literal["waiting", "running", "done", "stopped", "failed"]


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

    def run(self, analyzer: Callable[[], Analyzer]) -> None:
        """Judge everything; called once, in a thread of the server."""
        self.started_at = time.monotonic()
        self.state = "running"
        end: State = "failed"
        try:
            items = chain.from_iterable(shard.items() for shard in self._shards)
            wanted = takewhile(lambda _: not self._stop.is_set(), items)
            for row, meme in judge(wanted, analyzer(), self.options):
                self.thumbnails.append(thumbnail(meme.image) if meme is not None and meme.image is not None else None)
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

    def __init__(self, analyzer: Callable[[], Analyzer], *, ttl_s: float = TTL_S) -> None:
        self._analyzer, self._ttl_s = analyzer, ttl_s
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="subtext-batch")

    def start(self, files: Iterable[tuple[str, bytes | memoryview]], options: Options) -> Job:
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
        self._pool.submit(job.run, self._analyzer)
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


def upload_shards(folder: Path, uploads: Sequence[tuple[str, Path]]) -> list[Shard]:
    """The shards of uploads: the name of each and the path of its bytes, below `folder`.

    Tables come first and in their order; each of their rows means the picture of that name, else the one whose last component
    it is. Pictures that no table names follow and are read by the OCR. Raises `BadInput` if there is nothing, or too much.
    """
    tables = [(name, path) for name, path in uploads if name.lower().endswith(TABLES)]
    pictures = uploaded_pictures(folder, [upload for upload in uploads if upload not in tables])
    by_basename = {PurePosixPath(name).name: name for name in reversed(pictures)}
    entries: list[Shard] = []
    in_tables: set[str | None] = set()
    for row in chain.from_iterable(read_table(name, path) for name, path in tables):
        if isinstance(row, ParquetSlice):
            entries.append(row)
            continue
        name = (row.path or "").replace("\\", "/")
        if name not in pictures and "://" not in name:
            name = by_basename.get(PurePosixPath(name).name, "")
        in_tables.add(name)
        root, path = pictures.get(name, (str(folder), row.path))
        entries.append(Files(0, root, (Ref(row.name, path, row.caption),)))
    rest = ((name, location) for name, location in pictures.items() if name not in in_tables)
    entries += [Files(0, root, (Ref(name, path),)) for name, (root, path) in rest]
    merged = merge_neighbours(entries)
    count = sum(len(shard) for shard in merged)
    if not count:
        raise BadInput(
            "There is no meme in these files: give pictures, a ZIP of pictures, or a CSV or Parquet with words."
        )
    if count > MAX_MEMES:
        raise BadInput(
            f"These are {count:,} memes, and the page takes {MAX_MEMES:,}: give fewer, or run `python -m serving.batch`, "
            "which takes any number."
        )
    return merged


def uploaded_pictures(folder: Path, uploads: Sequence[tuple[str, Path]]) -> dict[str, tuple[str, str | None]]:
    """Root and path (see `Files`) of each picture, a file of the folder or inside a ZIP there, by a name of its own: the first
    of two with the same name has it; the second gets a number."""
    locations: dict[str, tuple[str, str | None]] = {}
    for name, path in uploads:
        members = zip_pictures(path) if name.lower().endswith(".zip") else None
        for picture in (name,) if members is None else members:
            unique, number = picture, 2
            while unique in locations:
                unique, number = f"{picture} ({number})", number + 1
            locations[unique] = (str(folder), path.name) if members is None else (str(path), picture)
    return locations


def zip_pictures(path: Path) -> list[str]:
    """The pictures in a ZIP, in the order of their names. Raises `BadInput`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(filter(is_picture, archive.namelist()))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadInput("A ZIP is damaged and cannot be opened: pack it again.") from error
    if len(names) > MAX_MEMES:
        raise BadInput(f"A ZIP holds {len(names):,} pictures, and the page takes {MAX_MEMES:,}: give fewer at once.")
    return names


def read_table(name: str, path: Path) -> Iterator[Ref | ParquetSlice]:
    """The rows of a CSV, or of a Parquet that names its pictures; slices of a Parquet that holds them."""
    if name.lower().endswith(".csv"):
        yield from inputs.read_csv(path.read_text(encoding="utf-8-sig", errors="replace"))
        return
    import pyarrow
    import pyarrow.parquet as pq

    slices = list(inputs.parquet_slices([str(path)], ROWS_PER_SHARD))
    file = pq.ParquetFile(path)
    columns = inputs.find_columns(file.schema_arrow.names)
    kinds = [file.schema_arrow.field(name).type for name, role in columns.items() if role == "image"]
    if not all(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) for kind in kinds):
        yield from slices
        return
    if sum(map(len, slices)) > MAX_MEMES:
        raise BadInput(f"The table has more rows than the {MAX_MEMES:,} memes that the page takes: give fewer at once.")
    for number, row in enumerate(file.read(columns=list(columns)).to_pylist(), 1):
        row_name, image, caption = map(inputs.by_role(row, columns).get, inputs.COLUMNS)
        yield Ref(str(row_name or image or f"row-{number}"), image or None, None if caption is None else str(caption))


def merge_neighbours(shards: Sequence[Shard]) -> list[Shard]:
    """Neighbours with the same root in one shard, so that a ZIP is opened once for all of them."""
    merged: list[Shard] = []
    for root, group in groupby(shards, key=lambda shard: shard.root if isinstance(shard, Files) else None):
        if root is None:
            merged += group
        else:
            refs = tuple(ref for shard in group if isinstance(shard, Files) for ref in shard.refs)
            merged.append(Files(len(merged), root, refs))
    return merged
