"""`evaluate flickr8k` and `evaluate oasis` through the command line, over models whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.emotions.affect import Affect
from tests.conftest import drawn
from tests.fakes import FakeSpace
from training.cli import main
from training.tasks import emotions, flickr8k

COLOURS = {"red": (250, 5, 5), "green": (5, 250, 5), "blue": (5, 5, 250)}


class Bright:
    """Valence by red, arousal by blue."""

    def read(self, images: Sequence[Image.Image]) -> list[Affect]:
        return [
            Affect(1 + image.getpixel((0, 0))[0] / 50, 1 + image.getpixel((0, 0))[2] / 50, "calm") for image in images
        ]  # type: ignore[index]


def run(task: str, tmp_path: Path, **columns: list) -> tuple[dict, Path]:
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    out, predictions = tmp_path / "out.json", tmp_path / "predictions.parquet"
    words = [
        "evaluate",
        task,
        "--data",
        str(tmp_path / "rows.parquet"),
        "--json",
        str(out),
        "--predictions",
        str(predictions),
    ]
    assert main(words) == 0
    return json.loads(out.read_text()), predictions


def test_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flickr8k, "open_space", FakeSpace)
    images = [drawn(colour=colour) for colour in COLOURS.values()]
    captions = [[f"a {name} thing", f"so {name}", "nothing at all"] for name in COLOURS]
    report, predictions = run(
        "flickr8k", tmp_path, id=["a", "b", "c", "d"], image=[*images, b"broken"], captions=[*captions, ["gone"]]
    )
    assert report["metrics"]["image_to_text_r1"] == 100
    assert report["metrics"]["text_to_image_r1"] == pytest.approx(200 / 3)  # what names no colour finds nothing
    assert (report["unreadable_pictures"], report["captions_ranked"], report["rows"]) == (1, 9, 4)
    ranks = pq.read_table(predictions).to_pylist()
    assert [row["image_to_text_rank"] for row in ranks] == [1, 1, 1, None]
    assert ranks[0]["text_to_image_ranks"] == [1, 1, 3]


def test_affect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emotions, "AffectReader", Bright)
    images = [drawn(colour=(value, 0, 255 - value)) for value in (0, 60, 120, 180, 240)]
    report, predictions = run(
        "oasis",
        tmp_path,
        image=[*images, b"broken"],
        valence_mean=[1.0, 2, 3, 4, 5, 6],
        arousal_mean=[5.0, 4, 3, 2, None, 1],
    )
    assert report["metrics"]["valence_pearson"] == pytest.approx(1)
    assert report["metrics"]["arousal_pearson"] == pytest.approx(1)
    assert report["metrics"]["valence_pearson_majority"] == 0
    assert report["unreadable_pictures"] == 1
    assert pq.read_table(predictions).column("label").to_pylist() == ["calm"] * 5 + [None]


def test_a_file_without_the_columns_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"image": [b"1"]}), tmp_path / "rows.parquet")
    assert main(["evaluate", "oasis", "--data", str(tmp_path / "rows.parquet"), "--json", str(tmp_path / "o")]) == 2
    assert "has no columns 'valence_mean', 'arousal_mean', which oasis needs" in capsys.readouterr().err
