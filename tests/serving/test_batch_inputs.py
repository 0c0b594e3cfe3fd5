"""What a batch reads and writes: inputs and options that make no sense, tables, object stores, shards."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest

from models.errors import BadInput
from models.io.flat_row import Row
from serving.batch.inputs import plan, read_csv
from serving.batch.output import Output, to_bytes
from tests.serving.conftest import run_batch


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("none.csv", None, "check the name"),
        ("a.txt", b"x", "none of the inputs"),
        ("a.csv", b"who,what\n1,2\n", "no column"),
        ("a.csv", b"", "no column"),
        ("a.parquet", b"no", "no Parquet"),
        ("empty", None, "check the name"),
    ],
)
def test_an_input_that_cannot_be_used_is_told(
    tmp_path: Path, name: str, data: bytes | None, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert run_batch(tmp_path / name, tmp_path / "out") == 2
    assert says in capsys.readouterr().err


def test_options_that_make_no_sense(memes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "void").mkdir()
    for words, says in (
        ((memes, tmp_path / "o", "--workers", 0), "--workers 0"),
        ((memes, tmp_path / "o", "--profile", "minni"), "mini"),
        ((tmp_path / "void", tmp_path / "o"), "nothing to judge"),
        (("s4://a/b", tmp_path / "o"), "s4"),
    ):
        assert run_batch(*words) == 2
        assert says in capsys.readouterr().err


def test_a_table_with_semicolons_a_mark_and_line_breaks() -> None:
    refs = read_csv(io.BytesIO(b'\xef\xbb\xbfPicture;Text\r\na.png;"two\nlines; here"\r\nb.png;\r\n'))
    assert [(ref.path, ref.caption) for ref in refs] == [("a.png", "two\nlines; here"), ("b.png", None)]


def test_formulas_stay_text_in_a_spreadsheet() -> None:
    rows = [Row("=cmd()", "error", error="x"), Row("@a", "error", error="y"), Row("plain", "error", error="-z")]
    with io.StringIO(to_bytes("csv", rows).decode()) as file:
        read = list(csv.DictReader(file))
    assert [(row["id"], row["error"]) for row in read] == [("'=cmd()", "x"), ("'@a", "y"), ("plain", "'-z")]
    assert json.loads(to_bytes("jsonl", rows).splitlines()[0])["id"] == "=cmd()"


def test_other_file_systems_are_read_and_written(tiny_worker: None, memes: Path) -> None:
    fs = fsspec.filesystem("memory")
    for path in memes.glob("*.*"):
        fs.pipe_file(f"/bucket/in/{path.name}", path.read_bytes())
    try:
        assert run_batch("memory://bucket/in/table.csv", "memory://bucket/out", "--no-ocr", "--shard", 4) == 0
        assert run_batch("memory://bucket/in/table.csv", "memory://bucket/out", "--no-ocr", "--shard", 4) == 0
        names = sorted(path.rpartition("/")[2] for path in fs.find("/bucket/out"))
        assert names == ["batch.json", "part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]
        assert run_batch("memory://bucket/in", "memory://bucket/out.csv", "--no-ocr") == 0
        assert fs.cat_file("/bucket/out.csv").count(b".png,") == 7
    finally:
        fs.rm("/bucket", recursive=True)


def test_a_shard_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(str(tmp_path / "out"))
    output.begin({})
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
        output.write(0, [Row("a", "error", error="b")])
    assert output.done() == set()
    output.write(0, [Row("a", "error", error="b")])
    assert output.done() == {0}
    shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("where", ["", "memory://whole"])
@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_the_final_file_is_there_whole_or_as_it_was(
    where: str, format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = where or str(tmp_path)
    address = f"{folder}/out.{format_}"
    fs, path = fsspec.core.url_to_fs(address)
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    fs.pipe_file(path, b"before")
    parts = Output(f"{folder}/parts")
    parts.begin({})
    for number in range(3):
        parts.write(number, [Row(f"{number}.png", "error", error="b")])
    whole = pq.read_table

    def interrupted(file: Any) -> Any:
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(file)
        return whole(file)

    read: list[Any] = []
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pq, "read_table", interrupted)
        parts.gather(range(3), address, format_)
    assert len(read) == 2 and fs.cat_file(path) == b"before"
    assert parts.gather(range(3), address, format_) == 3
    data = fs.cat_file(path)
    assert (whole(io.BytesIO(data)).num_rows if format_ == "parquet" else data.count(b".png")) == 3
    parts.remove()
    assert [name.rpartition("/")[2] for name in fs.find(path.rpartition("/")[0])] == [f"out.{format_}"]
    fs.rm(path)


def test_bad_numbers_of_memes_are_refused() -> None:
    with pytest.raises(BadInput, match="check the name"):
        plan("/no/such/folder")


def test_s3_is_read_and_written(tiny_worker: None, memes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (("ENDPOINT_URL", f"http://{host}:{port}"), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        fs = fsspec.filesystem("s3", skip_instance_cache=True)
        fs.mkdir("bucket")
        for path in memes.glob("*.*"):
            fs.pipe_file(f"bucket/in/{path.name}", path.read_bytes())
        assert run_batch("s3://bucket/in/table.csv", "s3://bucket/out", "--no-ocr", "--shard", 4) == 0
        assert run_batch("s3://bucket/in/table.csv", "s3://bucket/out", "--no-ocr", "--shard", 4) == 0  # all is there
        fs.invalidate_cache()
        parts = sorted(fs.glob("bucket/out/part-*.parquet"))
        rows = [row for part in parts for row in pq.read_table(io.BytesIO(fs.cat_file(part))).to_pylist()]
        assert [row["status"] for row in rows] == ["error", "ok", "ok", *["error"] * 5, "ok", "error"]
    finally:
        server.stop()
        fsspec.filesystem("s3").clear_instance_cache()
