"""EMOTIC's converter on a small Annotations.mat that is written here in the official layout."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from models.errors import BadInput
from tests.emotic_for_tests import cell, continuous, entry, struct, structs
from training.datasets.emotic import CATEGORIES, convert, read


def one_annotator(box: list[float], names: list[str]) -> np.ndarray:
    return struct(
        body_bbox=np.array([box]),
        annotations_categories=struct(categories=cell(names)),
        annotations_continuous=continuous(7, 5, 4),
        gender="Male",
        age="Adult",
    )


def several_annotators(box: list[float]) -> np.ndarray:
    return struct(
        body_bbox=np.array([box]),
        annotations_categories=structs([struct(categories=cell(["Fear"])), struct(categories=cell(["Peace", "Fear"]))]),
        combined_categories=cell(["Peace", "Fear"]),
        annotations_continuous=structs([continuous(2, 2, 2), continuous(4, 4, 4)]),
        combined_continuous=continuous(3, 3, 3),
        gender="Female",
        age="Kid",
    )


@pytest.fixture
def official(tmp_path: Path) -> Path:
    pictures = tmp_path / "emotic" / "mscoco" / "images"
    pictures.mkdir(parents=True)
    image = Image.new("RGB", (640, 480), (10, 20, 30))
    image.paste((200, 100, 50), (100, 100, 300, 400))
    for name in ("a.jpg", "b.jpg"):
        image.save(pictures / name, quality=95)
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    train = [
        entry(
            "a.jpg",
            [
                one_annotator([100, 100, 300, 400], ["Anger", "Doubt/Confusion"]),
                one_annotator([-5, -5, 90, 700], ["Peace"]),
            ],
        ),
        entry("b.jpg", [one_annotator([50, 50, 50, 90], ["Pain"])]),
        entry("missing.jpg", [one_annotator([0, 0, 9, 9], ["Pain"])]),
        entry("broken.jpg", [one_annotator([0, 0, 9, 9], ["Pain"])]),
    ]
    others = [entry("b.jpg", [several_annotators([100, 100, 300, 400])])]
    savemat(tmp_path / "Annotations.mat", {"train": structs(train), "val": structs(others), "test": structs(others)})
    return tmp_path


def test_people_are_read_with_one_annotator_and_with_several(official: Path) -> None:
    splits = read(official / "Annotations.mat")
    first, second, *_ = splits["train"]
    assert first.picture == "mscoco/images/a.jpg"
    assert (first.box, first.categories, first.continuous) == (
        (100, 100, 300, 400),
        ("Anger", "Doubt/Confusion"),
        (7, 5, 4),
    )
    assert (second.categories, second.gender, second.age) == (("Peace",), "Male", "Adult")
    [person] = splits["validation"]
    assert (person.categories, person.continuous, person.gender) == (("Fear", "Peace"), (3, 3, 3), "Female")


def test_the_arrays_and_the_table(official: Path, tmp_path: Path) -> None:
    train, validation, test = convert(official / "Annotations.mat", official / "emotic", tmp_path / "out")
    assert (train.split, train.people) == ("train", 2)
    assert train.skipped == {"missing pictures": 1, "unreadable pictures": 1, "boxes without area": 1}
    assert (validation.people, test.people) == (1, 1)
    context, body = (np.load(tmp_path / "out" / f"train_{name}.npy") for name in ("context", "body"))
    assert (context.shape, body.shape, body.dtype) == ((2, 224, 224, 3), (2, 128, 128, 3), np.uint8)
    assert np.abs(body[0, 64, 64].astype(int) - [200, 100, 50]).max() < 6
    categories = np.load(tmp_path / "out" / "train_categories.npy")
    assert [CATEGORIES[number] for number in np.flatnonzero(categories[0])] == ["Anger", "Doubt/Confusion"]
    assert np.load(tmp_path / "out" / "train_continuous.npy").tolist() == [[7, 5, 4], [7, 5, 4]]
    rows = list(csv.DictReader((tmp_path / "out" / "train.csv").open(encoding="utf-8")))
    assert rows[1]["picture"] == "mscoco/images/a.jpg"
    assert [rows[1][side] for side in ("left", "top", "right", "bottom")] == ["0", "0", "90", "480"]
    assert not list((tmp_path / "out").glob("*.part*"))


def test_other_files_are_refused(official: Path, tmp_path: Path) -> None:
    savemat(tmp_path / "other.mat", {"x": np.zeros(3)})
    with pytest.raises(BadInput, match="lacks train, val, test"):
        read(tmp_path / "other.mat")
    savemat(tmp_path / "odd.mat", {"train": np.zeros(3), "val": np.zeros(3), "test": np.zeros(3)})
    with pytest.raises(BadInput, match="not laid out as EMOTIC"):
        read(tmp_path / "odd.mat")
    (tmp_path / "text.mat").write_text("no")
    with pytest.raises(BadInput, match="cannot be read as EMOTIC"):
        read(tmp_path / "text.mat")
    strange = [entry("a.jpg", [one_annotator([0, 0, 9, 9], ["Boredom"])])]
    savemat(tmp_path / "strange.mat", {name: structs(strange) for name in ("train", "val", "test")})
    with pytest.raises(BadInput, match="unknown categories Boredom"):
        read(tmp_path / "strange.mat")
    with pytest.raises(BadInput, match="no folder of EMOTIC's pictures"):
        convert(official / "Annotations.mat", tmp_path / "nowhere", tmp_path / "out")
