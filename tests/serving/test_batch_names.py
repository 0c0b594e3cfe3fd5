"""Whatever stands where a table names a picture, and whatever a file is called, is a row."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from serving.batch.inputs import Files, plan
from serving.batch.judge import Options, judge
from serving.batch.output import Output
from serving.batch.uploads import upload_shards
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import rows_of, run_batch

PIECES = [
    ".",
    "..",
    "/",
    "\\",
    "~",
    ":",
    "::",
    "://",
    "a.png",
    "sub",
    "c:",
    "*",
    "?",
    "[",
    "{}",
    "#",
    "%2e",
    "é",
    '"',
    "'",
    "\x00",
    "\n",
]
names = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture in a folder, in a ZIP and in memory."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(drawn())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("sub/a.png", drawn())
    fsspec.filesystem("memory").pipe_file("/names/a.png", drawn())
    return tmp_path


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names)
@example(".")
@example("./")
@example("a.png/.")
@example("a/" * 3000)
def test_any_text_in_the_column_is_a_row(folder: Path, name: str) -> None:
    with io.StringIO() as lines:
        csv.writer(lines).writerows([["image", "caption"], [name, "words"]])
        (folder / "table.csv").write_text(lines.getvalue(), encoding="utf-8", errors="replace", newline="")
    uploads = [(file, folder / file) for file in ("table.csv", "a.png", "a.zip")]
    (shard,) = plan(str(folder / "table.csv"))
    assert isinstance(shard, Files)
    shards = [shard, *(Files(0, root, shard.refs) for root in (str(folder / "a.zip"), "memory://names"))]
    shards += [shard for shard in upload_shards(folder, uploads) if isinstance(shard, Files)]
    output = Output(str(folder / "out"))
    for shard in shards:
        rows = [row for row, _ in judge(shard.items(), FakeAnalyzer(), Options(ocr=False))]  # type: ignore[arg-type]
        assert len(rows) == len(shard)
        assert all(row.error.endswith(".") for row in rows if row.status == "error")
        output.begin({})
        output.write(0, rows)


def test_a_file_whose_name_is_no_text_is_a_row(tmp_path: Path, fake_worker: None) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/\xff.png")).write_bytes(drawn())
    assert run_batch(tmp_path / "in", tmp_path / "out.csv", "--no-ocr") == 0
    assert run_batch(tmp_path / "in", tmp_path / "out", "--no-ocr") == 0
    assert [(row["id"], row["status"]) for row in rows_of(tmp_path / "out")] == [("?.png", "ok")]
