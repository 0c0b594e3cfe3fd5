"""The Batch page's jobs: what visitors upload, found again after a broken connection, gone when it is to go."""

from __future__ import annotations

import io
import tempfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.analysis import Meme
from models.errors import BadInput, BadWeights, PartUnavailable
from serving.batch import jobs as batches
from serving.batch import uploads
from serving.batch.jobs import Job, Jobs
from serving.batch.judge import Options
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import wait_until


class BlockedAnalyzer(FakeAnalyzer):
    """Judges once its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.called = threading.Event(), threading.Event()

    def judge(self, memes: Sequence[Meme]) -> list[Any]:
        self.called.set()
        assert self.gate.wait(30)
        return super().judge(memes)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where jobs put what was uploaded."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_png", ".png"), data)
    return buffer.getvalue()


def table(*, compression: str = "snappy", **columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression=compression)
    return buffer.getvalue()


def done(jobs: Jobs, *files: tuple[str, bytes]) -> Job:
    job = jobs.start(files, Options())
    wait_until(lambda: job.over)
    return job


def summary(job: Job) -> list[tuple[str, str, str]]:
    return [(row.id, row.caption_source, row.caption if row.status == "ok" else "!") for row in job.rows]


def test_pictures_a_zip_and_tables_come_together(temporary: Path) -> None:
    names = "a.png", "broken.png"
    csv = b"image,caption\na.png,words of a\nz1.png,words of z\nhttp://x/y.png,\nnone.png,x\n"
    parquet = table(image=[drawn(), None], text=[None, "alone"], id=["p", "q"])
    job = done(
        Jobs(FakeAnalyzer),
        *zip(names, (drawn(), b"no"), strict=True),
        ("t.csv", csv),
        ("many.zip", zipped(in__z1_png=drawn(), in__z2_png=drawn(), notes=b"x")),
        ("p.parquet", parquet),
    )
    read = "when the tests pass"
    assert summary(job) == [
        ("a.png", "override", "words of a"),
        ("z1.png", "override", "words of z"),
        ("http://x/y.png", "none", "!"),
        ("none.png", "none", "!"),
        ("p", "ocr", read),
        ("q", "override", "alone"),
        ("broken.png", "none", "!"),
        ("in/z2.png", "ocr", read),
    ]
    assert "never fetched" in job.rows[2].error
    assert (job.state, job.total, job.counts["error"], job.counts["not_hateful"]) == ("done", 8, 3, 5)
    assert [small is not None for small in job.thumbnails] == [row.sha256 is not None for row in job.rows]
    assert max(Image.open(io.BytesIO(job.thumbnails[0] or b"")).size) == batches.THUMBNAIL_SIDE
    assert list(temporary.iterdir()) == []


def test_a_parquet_that_names_its_pictures_and_files_of_one_name(temporary: Path) -> None:
    job = done(
        Jobs(FakeAnalyzer),
        ("a.png", drawn(colour=(1, 2, 3))),
        ("a.png", drawn(colour=(9, 2, 3))),
        ("t.parquet", table(image=["folder/a.png", ""], caption=["x", "y"])),
    )
    assert [(row.id, row.caption) for row in job.rows[:2]] == [("folder/a.png", "x"), ("row-2", "y")]
    assert job.rows[2].id == "a.png (2)"
    assert len({row.sha256 for row in job.rows}) == 3


def test_a_job_is_found_again_and_stopped_and_deleted(temporary: Path) -> None:
    blocked = BlockedAnalyzer()
    jobs = Jobs(lambda: blocked)
    first = jobs.start([(f"{number}.png", drawn()) for number in range(40)], Options())
    second = jobs.start([("b.png", drawn())], Options())
    assert blocked.called.wait(60)
    assert first.state == "running"
    assert jobs.find(first.id) is first and jobs.find("guessed") is jobs.find(None) is None
    assert second.state == "waiting" and not second.over
    first.stop()
    blocked.gate.set()
    wait_until(lambda: second.over)
    assert (first.state, second.state) == ("stopped", "done")
    assert 0 < len(first.rows) < first.total
    jobs.forget(second)
    assert jobs.find(second.id) is None
    assert list(temporary.iterdir()) == []


def test_a_job_is_forgotten_when_nobody_looks(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(FakeAnalyzer, ttl_s=60)
    job = done(jobs, ("a.png", drawn()))
    now = time.monotonic()
    monkeypatch.setattr(batches.time, "monotonic", lambda: now)
    for _ in range(4):
        now += 50
        assert jobs.find(job.id) is job  # a view keeps it
    now += 61
    assert jobs.find(job.id) is None


def test_models_that_are_missing_are_told(temporary: Path) -> None:
    def missing() -> Any:
        raise BadWeights("weights/x is missing: run this.")

    job = done(Jobs(missing), ("a.png", drawn()))
    assert (job.state, job.problem) == ("failed", "weights/x is missing: run this.")
    assert list(temporary.iterdir()) == []


def test_what_cannot_be_taken_is_told_and_leaves_nothing_behind(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(BlockedAnalyzer)
    monkeypatch.setattr(uploads, "MAX_MEMES", 3)
    for files, says in (
        ([("a.zip", b"no zip")], "damaged"),
        ([("a.zip", zipped(notes=b"x"))], "no meme"),
        ([("t.csv", b"who\n1\n")], "no column"),
        ([("t.parquet", b"x")], "Parquet"),
        ([(f"{number}.png", b"") for number in range(4)], "takes 3"),
        ([("a.zip", zipped(a_png=b"", b_png=b"", c_png=b"", d_png=b""))], "takes 3"),
    ):
        with pytest.raises(BadInput, match=says):
            jobs.start(files, Options())
    monkeypatch.setattr(batches, "MAX_BYTES", 5)
    with pytest.raises(BadInput, match="1 GB"):
        jobs.start([("a.png", b"abc"), ("b.png", b"def")], Options())
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", ["words", "names", "pictures", "csv", "rows", "pictures and rows"])
def test_a_small_table_that_would_become_large_is_refused_as_it_is_read(temporary: Path, kind: str) -> None:
    long, many = ["a" * 10_000] * 10_000, 1_000_000
    name, data, says = {
        "words": ("t.parquet", table(caption=long), "16,000,000 characters"),
        "names": ("t.parquet", table(image=long), "16,000,000 characters"),
        "pictures": ("t.parquet", table(image=[b"a" * 10_000_000], compression="zstd"), "10 MB from"),
        "csv": ("t.csv", b"caption\n" + b"a\n" * many, "10,000 rows"),
        "rows": ("t.parquet", table(caption=["a"] * many), "10,000 rows"),
        "pictures and rows": ("t.parquet", table(image=[b"a"] * many), "10,000 rows"),
    }[kind]
    del long
    assert len(data) < 3_000_000
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=says):
            Jobs(FakeAnalyzer).start([(name, data)], Options())
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert list(temporary.iterdir()) == []


def test_pictures_of_one_name_are_numbered_without_delay(temporary: Path) -> None:
    folder = temporary / "job"
    folder.mkdir()
    files = [("a.png", folder / f"{number}.png") for number in range(10_000)]
    start = time.monotonic()
    names = list(uploads.uploaded_pictures(folder, files))
    assert names[:3] == ["a.png", "a.png (2)", "a.png (3)"] and len(set(names)) == 10_000
    assert time.monotonic() - start < 2


def test_a_server_holds_a_bounded_number(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_JOBS", 1)
    jobs = Jobs(FakeAnalyzer)
    done(jobs, ("a.png", drawn()))
    with pytest.raises(PartUnavailable, match="later"):
        jobs.start([("a.png", drawn())], Options())
