"""A batch goes on only with what it began: the same files with the same content, judged by the same models."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import BadWeights
from models.profiles import registry
from serving.batch.fingerprint import content_digest, models_digest
from serving.batch.inputs import plan
from serving.batch.judge import Options, Work
from serving.batch.output import Output
from tests.conftest import drawn
from tests.serving.conftest import run_batch

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from tests.weights_for_tests import Tiny

RED, BLUE = (drawn(colour=colour).ljust(2000, b"\0") for colour in ((200, 0, 0), (0, 0, 200)))  # of one size
Write = Callable[[Path, bytes], str]


def folder(at: Path, picture: bytes) -> str:
    (at / "in" / "below").mkdir(parents=True, exist_ok=True)
    (at / "in" / "below" / "a.png").write_bytes(picture)
    return str(at / "in")


def linked(at: Path, picture: bytes) -> str:
    (at / "in").mkdir(exist_ok=True)
    (at / "a.png").write_bytes(picture)
    if not (at / "in" / "a.png").exists():
        (at / "in" / "a.png").symlink_to(at / "a.png")
    return str(at / "in")


def csv(at: Path, picture: bytes) -> str:
    folder(at, picture)
    (at / "in" / "t.csv").write_text(
        "image,caption\n./below/a.png,words\ngone.png,words\n../in,words\n", encoding="utf-8"
    )
    return str(at / "in" / "t.csv")


def zipped(at: Path, picture: bytes) -> str:
    with zipfile.ZipFile(at / "in.zip", "w") as archive:
        archive.writestr("below/a.png", picture)
    os.utime(at / "in.zip", (0, 0))
    return str(at / "in.zip")


def parquet(at: Path, picture: bytes) -> str:
    pq.write_table(pa.table({"image": [picture, None], "caption": ["a", "b"]}), at / "in.parquet")
    return str(at / "in.parquet")


def naming(at: Path, picture: bytes) -> str:
    folder(at, picture)
    if not (at / "in.parquet").exists():
        pq.write_table(pa.table({"image": ["in/below/a.png", None], "caption": ["a", "b"]}), at / "in.parquet")
    return str(at / "in.parquet")


def naming_in_struct(at: Path, picture: bytes) -> str:
    folder(at, picture)
    if not (at / "in.parquet").exists():
        pq.write_table(pa.table({"image": [{"bytes": None, "path": "in/below/a.png"}]}), at / "in.parquet")
    return str(at / "in.parquet")


def in_memory(at: Path, picture: bytes) -> str:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/resume/below/a.png", picture)
    fs.pipe_file("/resume/t.csv", b"image,caption\nbelow/a.png,words\n")
    return "memory://resume/t.csv"


@pytest.mark.parametrize("write", [folder, linked, csv, zipped, parquet, naming, naming_in_struct, in_memory])
def test_other_pictures_under_the_same_names_are_another_batch(
    write: Write, tmp_path: Path, fake_worker: None, capsys: pytest.CaptureFixture[str]
) -> None:
    address = write(tmp_path, RED)
    for _ in range(2):
        assert run_batch(address, tmp_path / "out", "--no-ocr") == 0
    capsys.readouterr()
    assert write(tmp_path, BLUE) == address
    assert run_batch(address, tmp_path / "out", "--no-ocr") == 2
    assert "Files of the input were changed" in capsys.readouterr().err


def test_what_is_not_the_input_changes_nothing(tmp_path: Path) -> None:
    address = csv(tmp_path, RED)
    before = content_digest(plan(address))
    (tmp_path / "in" / "other.png").write_bytes(BLUE)
    (tmp_path / "a.png").write_bytes(BLUE)
    assert content_digest(plan(address)) == before
    (tmp_path / "in" / "gone.png").write_bytes(BLUE)
    assert content_digest(plan(address)) != before


def test_every_model_that_answers_counts(
    tiny: Tiny, tiny_worker: None, memes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (memes / "table.csv", tmp_path / "out", "--no-ocr", "--systems", "text-emotions")
    assert run_batch(*command) == 0
    assert run_batch(*command) == 0
    config = tiny.root / "text_emotions" / "config.json"
    before = config.read_text(encoding="utf-8")
    config.write_text(json.dumps(json.loads(before) | {"trained": "again"}), encoding="utf-8")
    try:
        assert run_batch(*command) == 2
    finally:
        config.write_text(before, encoding="utf-8")
    assert "its models differ" in capsys.readouterr().err


def test_a_worker_with_other_models_writes_nothing(tiny_worker: None, memes: Path, tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    output.begin({})
    work = Work(output, Options(ocr=False), "mini", models={"text_emotions": "another", "memotion_gmu": "not loaded"})
    with pytest.raises(BadWeights, match=r"other models than the command \(text_emotions\)"):
        work(plan(str(memes))[0])
    assert output.done() == set()


def test_the_models_that_count_are_those_that_are_loaded(
    tiny: Tiny, tiny_worker: None, tiny_analyzer: Analyzer
) -> None:
    profile = registry.PROFILES["mini"]
    assert registry.identities(profile) == tiny_analyzer.info.weights
    assert set(models_digest(profile, Options())) - set(tiny_analyzer.info.weights) == {"py3langid", "rapidocr"}
