"""Batches: a row for every input whatever it is, shards that survive an interruption, the same numbers as elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.analysis import Caption, Meme
from models.errors import BadInput
from models.io.flat_row import Row, bad
from models.io.images import open_picture
from serving.batch import __main__ as command
from serving.batch import local, results
from serving.batch.items import read_csv
from serving.batch.judge import Options, judge
from serving.batch.output import Output
from serving.batch.plan import plan
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer, FakeReader

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from tests.weights_for_tests import Tiny

WORDS = "we hate mondays"


@pytest.fixture
def memes(tmp_path: Path) -> Path:
    """Eight pictures, the first broken, in a folder with a table."""
    folder = tmp_path / "memes"
    (folder / "below").mkdir(parents=True)
    for number in range(8):
        data = drawn((64, 48), colour=(number * 20, 90, 140)) if number else b"broken"
        (folder / ("below" if number == 7 else "") / f"{number}.png").write_bytes(data)
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no meme")
    lines = ["image,caption", *(f"{number}.png,words of {number}" for number in range(3)), "below/7.png,"]
    lines += ['http://example.org/a.png,""', "../secret.png,x", "C:\\a.png,x", "gone.png,x", ',"just, words"', ","]
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def here(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's analyzer is one on tiny weights."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))
    local.load_analyzer.cache_clear()


def rows_of(path: Path) -> list[dict[str, Any]]:
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def run(*words: object) -> int:
    return command.main([str(word) for word in words])


def test_a_folder_gives_a_row_for_each_picture_in_it(here: None, memes: Path, tmp_path: Path) -> None:
    assert run(memes, tmp_path / "out", "--no-ocr", "--shard", 3) == 0
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == [*(f"{number}.png" for number in range(7)), "below/7.png"]
    assert [row["status"] for row in rows] == ["error"] + ["ok"] * 7
    assert "text file" in rows[0]["error"] and rows[0]["probability"] is None
    assert len(list((tmp_path / "out").glob("part-*"))) == 3


def test_the_numbers_are_those_of_the_analysis(
    here: None, memes: Path, tmp_path: Path, tiny_analyzer: Analyzer
) -> None:
    assert run(memes / "table.csv", tmp_path / "out.parquet", "--no-ocr", "--systems", "hate,text-emotions") == 0
    row = rows_of(tmp_path / "out.parquet")[1]
    picture = open_picture((memes / "1.png").read_bytes())
    analysis = tiny_analyzer.analyze(Meme(picture.image, Caption("words of 1", "override")), explain=False)
    assert row["logit"] == pytest.approx(analysis.verdict.logit, abs=1e-4)
    assert row["harm"] == pytest.approx(analysis.harm.probability, abs=1e-4)
    assert (row["label"], row["hate"], row["sha256"]) == (
        analysis.verdict.label,
        analysis.verdict.label,
        picture.sha256,
    )
    likeliest = max(analysis.emotions.text.scores, key=lambda score: score.probability)
    assert row["text_emotions"] == likeliest.label


def test_every_line_of_a_table_is_a_row(here: None, memes: Path, tmp_path: Path) -> None:
    assert run(memes / "table.csv", tmp_path / "out.jsonl", "--no-ocr") == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    errors = {row["id"]: row["error"] for row in rows if row["status"] == "error"}
    assert set(errors) == {"0.png", "http://example.org/a.png", "../secret.png", "C:\\a.png", "gone.png", "row-10"}
    assert "never fetched" in errors["http://example.org/a.png"]
    assert "outside" in errors["../secret.png"] and "outside" in errors["C:\\a.png"]
    assert "no file of this name" in errors["gone.png"]
    assert "nothing to analyze" in errors["row-10"]
    (words,) = [row for row in rows if row["id"] == "row-9"]
    assert (words["caption"], words["caption_source"]) == ("just, words", "override")
    assert not (tmp_path / "out.jsonl.parts").exists()


def test_parquet_in_a_zip_or_a_folder(here: None, memes: Path, tmp_path: Path) -> None:
    data = [(memes / f"{number}.png").read_bytes() for number in range(4)]
    captions = ["a", None, "", "b"]
    pq.write_table(
        pa.table({"image": data, "text": captions, "id": [7, 8, 9, 10]}), tmp_path / "a.parquet", row_group_size=3
    )
    assert run(tmp_path / "a.parquet", tmp_path / "out", "--no-ocr", "--shard", 2) == 0
    rows = rows_of(tmp_path / "out")
    assert [(row["id"], row["status"], row["caption"]) for row in rows] == [
        ("7", "error", ""),
        ("8", "ok", ""),
        ("9", "ok", ""),
        ("10", "ok", "b"),
    ]
    structs = [{"bytes": image, "path": None} for image in data]
    (tmp_path / "many").mkdir()
    for name in "ab":
        pq.write_table(pa.table({"image": structs}), tmp_path / "many" / f"{name}.parquet")
    assert run(tmp_path / "many", tmp_path / "out.csv", "--no-ocr") == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [
            f"{name}-{number}" for name in "ab" for number in range(4)
        ]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.write(memes / f"{number}.png", f"deep/{number}.png")
        archive.writestr("__MACOSX/0.png", "x")
    assert run(tmp_path / "a.zip", tmp_path / "zipped", "--no-ocr") == 0
    assert [row["id"] for row in rows_of(tmp_path / "zipped")] == [f"deep/{number}.png" for number in range(3)]


def test_an_interrupted_batch_goes_on_where_it_stopped(
    here: None, memes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = Output.write
    numbers: list[int] = []

    def interrupted(self: Output, number: int, rows: Sequence[Row]) -> None:
        if len(numbers) == 2:
            raise KeyboardInterrupt
        numbers.append(number)
        written(self, number, rows)

    command_line = (memes, tmp_path / "out.csv", "--no-ocr", "--shard", 2)
    with monkeypatch.context() as patch:
        patch.setattr(Output, "write", interrupted)
        assert run(*command_line) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert numbers == [0, 1] and not (tmp_path / "out.csv").exists()
    monkeypatch.setattr(
        Output, "write", lambda self, number, rows: (numbers.append(number), written(self, number, rows))
    )
    assert run(*command_line) == 0
    assert numbers == [0, 1, 2, 3]
    assert "2 of 4 shards are there" in capsys.readouterr().err
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8


def test_a_folder_of_another_batch_is_not_written_into(
    here: None, memes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(memes, tmp_path / "out", "--no-ocr") == 0
    assert run(memes, tmp_path / "out") == 2
    assert "options" in capsys.readouterr().err
    (memes / "9.png").write_bytes(drawn())
    assert run(memes, tmp_path / "out", "--no-ocr") == 2
    assert "input" in capsys.readouterr().err
    assert run(memes, memes, "--no-ocr") == 2
    assert "holds no batch" in capsys.readouterr().err


def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_doubled(here: None, memes: Path, tmp_path: Path) -> None:
    whole = plan(str(memes), size=1)
    output = Output(str(tmp_path / "out"))
    output.begin({})
    work = local.Work(output, Options(ocr=False), threads=1)
    killed: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 120
        while not output.done() and time.monotonic() < until:
            time.sleep(0.01)
        workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
        os.kill(workers[0].pid, signal.SIGKILL)
        killed.append(workers[0].pid)

    finished = local.run(whole.shards, work, workers=2)
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    done = [next(finished)]
    thread.join(120)
    done += finished
    assert killed
    assert sorted(shard.number for shard in done) == list(range(8))
    assert [row["id"] for row in rows_of(tmp_path / "out")] == [
        *(f"{number}.png" for number in range(7)),
        "below/7.png",
    ]


def test_fifty_bad_files_in_a_thousand_give_a_thousand_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "load_analyzer", lambda profile, threads: FakeAnalyzer())
    folder = tmp_path / "many"
    folder.mkdir()
    broken = (b"", b"text", drawn()[:200], b"%PDF-1.7", drawn(kind="TIFF"))
    for number in range(1000):
        bad_one = number % 20 == 7
        data = broken[number // 20 % 5] if bad_one else drawn((40, 30), colour=(number % 256, 90, number // 4))
        (folder / f"{number:04}.png").write_bytes(data)
    assert run(folder, tmp_path / "out.parquet", "--no-ocr") == 0
    rows = rows_of(tmp_path / "out.parquet")
    assert [row["id"] for row in rows] == [f"{number:04}.png" for number in range(1000)]
    errors = [row for row in rows if row["status"] == "error"]
    assert [row["id"] for row in errors] == [f"{number:04}.png" for number in range(7, 1000, 20)]
    assert len(errors) == 50 and all(row["error"].endswith((".", "again.")) for row in errors)
    assert all(0 <= row["probability"] <= 1 for row in rows if row["status"] == "ok")


def test_one_meme_that_fails_the_models_takes_no_other_with_it(
    tiny_analyzer: Analyzer, memes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tiny_analyzer.judge

    def failing(batch: Sequence[Meme]) -> Any:
        if any(meme.caption.text == "words of 2" for meme in batch):
            raise ZeroDivisionError
        return real(batch)

    monkeypatch.setattr(tiny_analyzer, "judge", failing)
    (shard,) = plan(str(memes / "table.csv")).shards
    rows = [row for row, _ in judge(shard.items(), tiny_analyzer, Options(ocr=False))]
    assert [row.status for row in rows[:4]] == ["error", "ok", "error", "ok"]
    assert "went wrong" in rows[2].error


def test_the_ocr_reads_where_no_caption_is_given(
    tiny_analyzer: Analyzer, memes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeReader()
    monkeypatch.setattr(tiny_analyzer, "reader", reader)
    (shard,) = plan(str(memes / "table.csv")).shards
    rows = [row for row, _ in judge(shard.items(), tiny_analyzer, Options())]
    assert [(row.caption_source, row.caption) for row in rows[1:4]] == [
        ("override", "words of 1"),
        ("override", "words of 2"),
        ("ocr", "when the tests pass"),
    ]
    assert reader.calls == 1


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
    assert run(tmp_path / name, tmp_path / "out") == 2
    assert says in capsys.readouterr().err


def test_options_that_make_no_sense(memes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "void").mkdir()
    for words, says in (
        ((memes, tmp_path / "o", "--workers", 0), "--workers 0"),
        ((memes, tmp_path / "o", "--profile", "minni"), "mini"),
        ((tmp_path / "void", tmp_path / "o"), "nothing to judge"),
        (("s4://a/b", tmp_path / "o"), "s4"),
    ):
        assert run(*words) == 2
        assert says in capsys.readouterr().err


def test_a_table_with_semicolons_a_mark_and_line_breaks() -> None:
    refs = read_csv('Picture;Text\r\na.png;"two\nlines; here"\r\nb.png;\r\n')
    assert [(ref.path, ref.caption) for ref in refs] == [("a.png", "two\nlines; here"), ("b.png", None)]


def test_formulas_stay_text_in_a_spreadsheet() -> None:
    rows = [bad("=cmd()", "x"), bad("@a", "y"), bad("plain", "-z")]
    with io.StringIO(results.to_bytes("csv", rows).decode()) as file:
        read = list(csv.DictReader(file))
    assert [(row["id"], row["error"]) for row in read] == [("'=cmd()", "x"), ("'@a", "y"), ("plain", "'-z")]
    assert json.loads(results.to_bytes("jsonl", rows).splitlines()[0])["id"] == "=cmd()"


def test_other_file_systems_are_read_and_written(here: None, memes: Path) -> None:
    fs = fsspec.filesystem("memory")
    for path in memes.glob("*.*"):
        fs.pipe_file(f"/bucket/in/{path.name}", path.read_bytes())
    try:
        assert run("memory://bucket/in/table.csv", "memory://bucket/out", "--no-ocr", "--shard", 4) == 0
        assert run("memory://bucket/in/table.csv", "memory://bucket/out", "--no-ocr", "--shard", 4) == 0
        names = sorted(path.rpartition("/")[2] for path in fs.find("/bucket/out"))
        assert names == ["batch.json", "part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]
        assert run("memory://bucket/in", "memory://bucket/out.csv", "--no-ocr") == 0
        assert fs.cat_file("/bucket/out.csv").count(b".png,") == 7
    finally:
        fs.rm("/bucket", recursive=True)


def test_a_shard_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(str(tmp_path / "out"))
    output.begin({})
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
        output.write(0, [bad("a", "b")])
    assert output.done() == set()
    output.write(0, [bad("a", "b")])
    assert output.done() == {0}
    shutil.rmtree(tmp_path / "out")


def test_bad_numbers_of_memes_are_refused() -> None:
    with pytest.raises(BadInput, match="check the name"):
        plan("/no/such/folder")


def test_s3_is_read_and_written(here: None, memes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert run("s3://bucket/in/table.csv", "s3://bucket/out", "--no-ocr", "--shard", 4) == 0
        assert run("s3://bucket/in/table.csv", "s3://bucket/out", "--no-ocr", "--shard", 4) == 0  # all is there
        fs.invalidate_cache()
        parts = sorted(fs.glob("bucket/out/part-*.parquet"))
        rows = [row for part in parts for row in pq.read_table(io.BytesIO(fs.cat_file(part))).to_pylist()]
        assert [row["status"] for row in rows] == ["error", "ok", "ok", *["error"] * 5, "ok", "error"]
    finally:
        server.stop()
        fsspec.filesystem("s3").clear_instance_cache()
