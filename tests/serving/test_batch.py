"""Batches: a row for every input whatever it is, shards that survive an interruption, the same numbers as elsewhere."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.analysis import Caption, Meme
from models.io.flat_row import Row
from models.io.images import open_picture
from serving.batch.inputs import plan
from serving.batch.judge import Options, Work, judge, run
from serving.batch.output import Output
from tests.conftest import drawn
from tests.fakes import FakeReader
from tests.serving.conftest import rows_of, run_batch

if TYPE_CHECKING:
    from models.analyzer import Analyzer


def test_a_folder_gives_a_row_for_each_picture_in_it(tiny_worker: None, memes: Path, tmp_path: Path) -> None:
    assert run_batch(memes, tmp_path / "out", "--no-ocr", "--shard", 3) == 0
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == [*(f"{number}.png" for number in range(7)), "below/7.png"]
    assert [row["status"] for row in rows] == ["error"] + ["ok"] * 7
    assert "text file" in rows[0]["error"] and rows[0]["probability"] is None
    assert len(list((tmp_path / "out").glob("part-*"))) == 3


def test_the_numbers_are_those_of_the_analysis(
    tiny_worker: None, memes: Path, tmp_path: Path, tiny_analyzer: Analyzer
) -> None:
    assert run_batch(memes / "table.csv", tmp_path / "out.parquet", "--no-ocr", "--systems", "hate,text-emotions") == 0
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


def test_each_row_has_its_language(tiny_worker: None, tmp_path: Path) -> None:
    captions = ["Der Nachbar backt am Sonntag Kuchen", "When the cat sleeps all day", "lol"]
    pq.write_table(pa.table({"text": captions}), tmp_path / "a.parquet")
    assert run_batch(tmp_path / "a.parquet", tmp_path / "out.csv") == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["language"] for row in rows] == ["de", "en", "und"]
    assert rows[0]["label"] == "needs_review"


def test_every_line_of_a_table_is_a_row(tiny_worker: None, memes: Path, tmp_path: Path) -> None:
    assert run_batch(memes / "table.csv", tmp_path / "out.jsonl", "--no-ocr") == 0
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


def test_parquet_in_a_zip_or_a_folder(tiny_worker: None, memes: Path, tmp_path: Path) -> None:
    data = [(memes / f"{number}.png").read_bytes() for number in range(4)]
    captions = ["a", None, "", "b"]
    pq.write_table(
        pa.table({"image": data, "text": captions, "id": [7, 8, 9, 10]}), tmp_path / "a.parquet", row_group_size=3
    )
    assert run_batch(tmp_path / "a.parquet", tmp_path / "out", "--no-ocr", "--shard", 2) == 0
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
    assert run_batch(tmp_path / "many", tmp_path / "out.csv", "--no-ocr") == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [
            f"{name}-{number}" for name in "ab" for number in range(4)
        ]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.write(memes / f"{number}.png", f"deep/{number}.png")
        archive.writestr("__MACOSX/0.png", "x")
    assert run_batch(tmp_path / "a.zip", tmp_path / "zipped", "--no-ocr") == 0
    assert [row["id"] for row in rows_of(tmp_path / "zipped")] == [f"deep/{number}.png" for number in range(3)]


def test_an_interrupted_batch_goes_on_where_it_stopped(
    tiny_worker: None, memes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
        assert run_batch(*command_line) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert numbers == [0, 1] and not (tmp_path / "out.csv").exists()
    monkeypatch.setattr(
        Output, "write", lambda self, number, rows: (numbers.append(number), written(self, number, rows))
    )
    assert run_batch(*command_line) == 0
    assert numbers == [0, 1, 2, 3]
    assert "2 of 4 shards are there" in capsys.readouterr().err
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8


def test_a_folder_of_another_batch_is_not_written_into(
    tiny_worker: None, memes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_batch(memes, tmp_path / "out", "--no-ocr") == 0
    assert run_batch(memes, tmp_path / "out") == 2
    assert "options" in capsys.readouterr().err
    (memes / "9.png").write_bytes(drawn())
    assert run_batch(memes, tmp_path / "out", "--no-ocr") == 2
    assert "input" in capsys.readouterr().err
    assert run_batch(memes, memes, "--no-ocr") == 2
    assert "holds no batch" in capsys.readouterr().err


def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_doubled(
    tiny_worker: None, memes: Path, tmp_path: Path
) -> None:
    shards = plan(str(memes), size=1)
    output = Output(str(tmp_path / "out"))
    output.begin({})
    work = Work(output, Options(ocr=False), threads=1)
    killed: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 120
        while not output.done() and time.monotonic() < until:
            time.sleep(0.01)
        workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
        os.kill(workers[0].pid, signal.SIGKILL)
        killed.append(workers[0].pid)

    finished = run(shards, work, workers=2)
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


def test_fifty_bad_files_in_a_thousand_give_a_thousand_rows(tmp_path: Path, fake_worker: None) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    broken = (b"", b"text", drawn()[:200], b"%PDF-1.7", drawn(kind="TIFF"))
    for number in range(1000):
        bad_one = number % 20 == 7
        data = broken[number // 20 % 5] if bad_one else drawn((40, 30), colour=(number % 256, 90, number // 4))
        (folder / f"{number:04}.png").write_bytes(data)
    assert run_batch(folder, tmp_path / "out.parquet", "--no-ocr") == 0
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
    (shard,) = plan(str(memes / "table.csv"))
    rows = [row for row, _ in judge(shard.items(), tiny_analyzer, Options(ocr=False))]
    assert [row.status for row in rows[:4]] == ["error", "ok", "error", "ok"]
    assert "went wrong" in rows[2].error


def test_the_ocr_reads_where_no_caption_is_given(
    tiny_analyzer: Analyzer, memes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeReader()
    monkeypatch.setattr(tiny_analyzer, "reader", reader)
    (shard,) = plan(str(memes / "table.csv"))
    rows = [row for row, _ in judge(shard.items(), tiny_analyzer, Options())]
    assert [(row.caption_source, row.caption) for row in rows[1:4]] == [
        ("override", "words of 1"),
        ("override", "words of 2"),
        ("ocr", "when the tests pass"),
    ]
    assert reader.calls == 1
