"""The Batch page's jobs: what visitors upload, found again after a broken connection, gone when it is to go."""

from __future__ import annotations

import io
import tempfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.shared.engine import Choice, Engine
from models.analysis import Meme
from models.errors import BadInput, BadWeights, PartUnavailable
from models.io.temporary import TemporaryFolder
from models.io.uploads import UPLOADS
from serving.batch import jobs as batches
from serving.batch import uploads
from serving.batch.jobs import Job, Jobs
from serving.batch.judge import Options
from tests.conftest import drawn
from tests.fakes import INFO, FakeAnalyzer
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
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(UPLOADS, "folder", TemporaryFolder())
    yield UPLOADS.folder.path
    UPLOADS.folder.remove()


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


def lent(analyzer: FakeAnalyzer) -> batches.Lend:
    return lambda: nullcontext(analyzer)  # type: ignore[arg-type]


def done(jobs: Jobs, *files: tuple[str, bytes], lend: batches.Lend | None = None) -> Job:
    job = jobs.start(files, Options(), lend or lent(FakeAnalyzer()))
    wait_until(lambda: job.over)
    return job


def summary(job: Job) -> list[tuple[str, str, str]]:
    return [(row.id, row.caption_source, row.caption if row.status == "ok" else "!") for row in job.rows]


def test_pictures_a_zip_and_tables_come_together(temporary: Path) -> None:
    names = "a.png", "broken.png"
    csv = b"image,caption\na.png,words of a\nz1.png,words of z\nhttp://x/y.png,\nnone.png,x\n"
    parquet = table(image=[drawn(), None], text=[None, "alone"], id=["p", "q"])
    job = done(
        Jobs(),
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
        Jobs(),
        ("a.png", drawn(colour=(1, 2, 3))),
        ("a.png", drawn(colour=(9, 2, 3))),
        ("t.parquet", table(image=["folder/a.png", ""], caption=["x", "y"])),
    )
    assert [(row.id, row.caption) for row in job.rows[:2]] == [("folder/a.png", "x"), ("row-2", "y")]
    assert job.rows[2].id == "a.png (2)"
    assert len({row.sha256 for row in job.rows}) == 3


def test_a_job_is_found_again_and_stopped_and_deleted(temporary: Path) -> None:
    blocked = BlockedAnalyzer()
    jobs, lend = Jobs(), lent(blocked)
    first = jobs.start([(f"{number}.png", drawn()) for number in range(40)], Options(), lend)
    second = jobs.start([("b.png", drawn())], Options(), lend)
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
    jobs = Jobs(ttl_s=60)
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

    job = done(Jobs(), ("a.png", drawn()), lend=missing)
    assert (job.state, job.problem) == ("failed", "weights/x is missing: run this.")
    assert list(temporary.iterdir()) == []


def test_what_cannot_be_taken_is_told_and_leaves_nothing_behind(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, lend = Jobs(), lent(BlockedAnalyzer())
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
            jobs.start(files, Options(), lend)
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
            Jobs().start([(name, data)], Options(), lent(FakeAnalyzer()))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert list(temporary.iterdir()) == []


def test_many_pictures_of_one_name_are_numbered_in_one_go(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_MEMES", 100_000)
    files = [("a.png", temporary / f"{number}.png") for number in range(100_000)]  # trying each number would take hours
    names = list(uploads.uploaded_pictures(temporary, files))
    assert names[:3] == ["a.png", "a.png (2)", "a.png (3)"] and len(set(names)) == 100_000


def start(jobs: Jobs, visitor: str, analyzer: FakeAnalyzer | None = None, size: int = 1) -> Job:
    files = [(f"{number}.png", drawn()) for number in range(size)]
    return jobs.start(files, Options(), lent(analyzer or FakeAnalyzer()), visitor=visitor)


def test_a_visitor_has_two_places_in_the_queue_also_at_once(temporary: Path) -> None:
    jobs, blocked = Jobs(), BlockedAnalyzer()
    with ThreadPoolExecutor(8) as pool:
        tried = [pool.submit(start, jobs, "a", blocked) for _ in range(8)]
    refused = [str(trial.exception()) for trial in tried if trial.exception()]
    begun = [trial.result() for trial in tried if not trial.exception()]
    assert len(begun) == 2 and all("You have 2 batches" in sentence for sentence in refused)
    start(jobs, "b", blocked)
    begun[1].stop()
    blocked.gate.set()
    wait_until(lambda: all(job.over for job in begun))
    start(jobs, "a", blocked)


def test_a_full_server_drops_the_oldest_of_who_has_most(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_JOBS", 3)
    jobs = Jobs()
    many = []
    for visitor in ("a", "b", "a"):
        many.append(start(jobs, visitor))
        wait_until(lambda: many[-1].over)
    blocked = BlockedAnalyzer()
    jobs.find(many[0].id)
    new = start(jobs, "c", blocked)
    assert [jobs.find(job.id) is not None for job in many] == [True, True, False]
    with pytest.raises(PartUnavailable, match="later"):  # each has one: nobody loses it to a stranger
        start(jobs, "d")
    start(jobs, "a", blocked)  # in the place of its own
    assert [jobs.find(job.id) is not None for job in (*many, new)] == [False, True, False, True]
    blocked.gate.set()


def test_a_waiting_batch_leaves_nothing_when_it_is_stopped_or_forgotten(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, blocked = Jobs(ttl_s=60), BlockedAnalyzer()
    running, stopped, left = start(jobs, "a", blocked), start(jobs, "a", blocked), start(jobs, "b", blocked)
    assert blocked.called.wait(60)
    assert len(list(temporary.iterdir())) == 3
    stopped.stop()
    assert (stopped.state, len(list(temporary.iterdir()))) == ("stopped", 2)
    now = time.monotonic() + 61
    with monkeypatch.context() as later:
        later.setattr(batches.time, "monotonic", lambda: now)
        jobs.expire()
    assert (left.state, jobs.find(left.id), jobs.find(running.id)) == ("stopped", None, running)
    assert len(list(temporary.iterdir())) == 1
    blocked.gate.set()
    wait_until(lambda: running.over)
    assert list(temporary.iterdir()) == []
    assert len(blocked.calls) == 1


def test_a_batch_takes_over_what_was_uploaded(temporary: Path) -> None:
    upload = UPLOADS.begin("a", "session", "file")
    UPLOADS.write(upload, io.BytesIO(zipped(a_png=drawn())))
    with pytest.raises(BadInput, match="no column"):
        Jobs().start([("t.csv", UPLOADS.source(upload.token))], Options(), lent(FakeAnalyzer()))
    job = Jobs().start([("many.zip", UPLOADS.source(upload.token))], Options(), lent(FakeAnalyzer()))
    UPLOADS.remove_named("session", "file")  # its page is closed
    wait_until(lambda: job.over)
    assert summary(job) == [("a.png", "ocr", "when the tests pass")]
    assert list(temporary.iterdir()) == []


def test_a_switch_of_the_profile_leaves_a_running_batch_its_models(temporary: Path) -> None:
    opened: list[BlockedAnalyzer] = []
    closed: list[BlockedAnalyzer] = []

    def build(choice: Choice, _on_progress: object) -> BlockedAnalyzer:
        analyzer = BlockedAnalyzer()
        analyzer.info = replace(INFO, name=choice.profile)
        analyzer.close = lambda: closed.append(analyzer)  # type: ignore[attr-defined]
        opened.append(analyzer)
        return analyzer

    engine = Engine(build)  # type: ignore[arg-type]
    engine.choose(Choice("mini"))
    job = Jobs().start([(f"{number}.png", drawn()) for number in range(70)], Options(), engine.lend)
    wait_until(lambda: bool(opened) and opened[0].called.is_set())
    engine.choose(Choice("mini", ocr="easy"))  # would change how the rest of the batch is read
    engine.choose(Choice("clip"))
    assert engine.get() is opened[-1] and engine.get().info.name == "clip"
    assert not closed
    opened[0].gate.set()
    wait_until(lambda: job.over)
    assert (job.state, job.counts) == ("done", {"not_hateful": 70})
    assert closed == [opened[0]]
    assert len(opened[0].calls) == 70


def test_the_message_that_clears_caches_leaves_models_and_batches(temporary: Path) -> None:
    """`AppSession` does these two calls for a browser's `clear_cache`."""
    import streamlit as st

    from components.shared import engine

    before = engine.engine(), batches.JOBS
    st.cache_data.clear()
    st.cache_resource.clear()
    assert (engine.engine(), batches.JOBS) == before
