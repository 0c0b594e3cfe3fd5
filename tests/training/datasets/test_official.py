"""Flickr8k and OASIS from files in their official layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import BadInput
from tests.conftest import drawn
from training.datasets import flickr8k, oasis


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    pictures, text = tmp_path / "Flicker8k_Dataset", tmp_path / "Flickr8k_text"
    pictures.mkdir()
    text.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (pictures / name).write_bytes(drawn(kind="JPEG"))
    lines = [
        f"{name}#{number}\tCaption {number} of {name} ."
        for name in ("a.jpg", "b.jpg", "gone.jpg.1")
        for number in range(5)
    ]
    (text / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (text / "Flickr_8k.trainImages.txt").write_text("b.jpg\na.jpg\ngone.jpg.1\n", encoding="utf-8")
    (text / "Flickr_8k.devImages.txt").write_text("c.jpg\n", encoding="utf-8")
    return tmp_path


def test_flickr8k(flickr: Path) -> None:
    first, second = flickr8k.read_official("train", flickr)
    assert (first.id, second.id) == ("b.jpg", "a.jpg")
    assert first.image == drawn(kind="JPEG")
    assert first.details["captions"] == [f"Caption {number} of b.jpg ." for number in range(5)]


def test_flickr8k_with_something_missing(flickr: Path) -> None:
    with pytest.raises(BadInput, match=r"Flickr_8k\.testImages\.txt is missing"):
        flickr8k.read_official("test", flickr)
    with pytest.raises(BadInput, match="None of the 1 pictures"):
        flickr8k.read_official("validation", flickr)  # c.jpg has no captions
    with pytest.raises(BadInput, match="parts train, validation, test"):
        flickr8k.read_official("dev", flickr)
    next(flickr.rglob("Flickr8k.token.txt")).write_text("a.jpg no tab\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 1, is not NAME"):
        flickr8k.read_official("train", flickr)


def test_oasis(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("Acorns 1", "Nude couple 1"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(drawn(kind="JPEG"))
    head = ",Theme,Category,Source,Valence_mean,Valence_SD,Valence_N,Arousal_mean,Arousal_SD,Arousal_N\n"
    lines = (
        "I1,Acorns 1,Object,Pixabay,4.68,.95,102,2.34,1.6,101\n"
        "I2,Nude couple 1,Person,x,5,1,1,5,1,1\n"
        "I3,Gone 1,Object,x,1,1,1,1,1,1\n"
    )
    (tmp_path / "OASIS.csv").write_text(head + lines, encoding="utf-8")
    [row] = oasis.read_official(tmp_path)
    assert (row.id, row.details["category"], row.details["valence_mean"], row.details["arousal_sd"]) == (
        "Acorns 1",
        "Object",
        4.68,
        1.6,
    )
    (tmp_path / "OASIS.csv").write_text(head + "I1,Acorns 1,Object,Pixabay,,.95,102,2.34,1.6,101\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no usable"):
        oasis.read_official(tmp_path)
    with pytest.raises(BadInput, match=r"OASIS\.csv is missing"):
        oasis.read_official(tmp_path / "images")
