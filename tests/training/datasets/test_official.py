"""Flickr8k, OASIS, Dreaddit and HarMeme from files in their official layout."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import BadInput
from tests.conftest import drawn
from training.datasets import dreaddit, flickr8k, oasis
from training.datasets import registry as datasets
from training.datasets.dreaddit import DREADDIT
from training.datasets.flickr8k import FLICKR8K
from training.datasets.harmeme import HARMEME
from training.datasets.oasis import OASIS
from training.datasets.tables import group_of
from training.tasks import registry

THEMES = [
    f"{name} {number}" for name in ("Acorns", "Bark", "Cat", "Dog", "Eagle", "Fire", "Grass") for number in (1, 2)
]


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
    first, second = flickr8k.read_official(flickr, "train")
    assert (first.id, second.id) == ("b.jpg", "a.jpg")
    assert first.image == drawn(kind="JPEG")
    assert first.details["captions"] == [f"Caption {number} of b.jpg ." for number in range(5)]


def test_official_photographs_are_loaded_where_there_is_no_parquet(
    flickr: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("data")
    (data / "flickr8k").symlink_to(flickr)
    assert [row.id for row in FLICKR8K.load("train", data)[0]] == ["b.jpg", "a.jpg"]
    (data / "oasis").mkdir()
    lines = [f"{theme},Object,4,1,3,1\n" for theme in THEMES]
    (data / "oasis" / "OASIS.csv").write_text(
        "".join(["Theme,Category,Valence_mean,Valence_SD,Arousal_mean,Arousal_SD\n", *lines])
    )
    for theme in THEMES:
        (data / "oasis" / f"{theme}.jpg").write_bytes(drawn(kind="JPEG"))
    train, validation = ([row.id for row in OASIS.load(split, data)[0]] for split in ("train", "validation"))
    assert sorted(train + validation) == sorted(THEMES)
    assert {theme.split()[0] for theme in train}.isdisjoint(theme.split()[0] for theme in validation)
    assert train
    assert validation


def test_flickr8k_with_something_missing(flickr: Path) -> None:
    with pytest.raises(BadInput, match=r"Flickr_8k\.testImages\.txt is missing"):
        flickr8k.read_official(flickr, "test")
    with pytest.raises(BadInput, match="None of the 1 pictures"):
        flickr8k.read_official(flickr, "validation")  # c.jpg has no captions
    with pytest.raises(BadInput, match="splits train, validation, test"):
        flickr8k.read_official(flickr, "dev")
    next(flickr.rglob("Flickr8k.token.txt")).write_text("a.jpg no tab\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 1, is not NAME"):
        flickr8k.read_official(flickr, "train")


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


POSTS = [
    "",
    "subreddit",
    "post_id",
    "sentence_range",
    "text",
    "id",
    "label",
    "confidence",
    "social_timestamp",
    "sentiment",
]
POST = [
    "1",
    "almosthomeless",
    "8601tu",
    "(15, 20)",
    'They said "soon",\nand left.',
    "33181",
    "1",
    "0.8",
    "1521614353",
    "0",
]


def posts(path: Path, *lines: dict[str, str], without: str | None = None) -> Path:
    """A csv as Dreaddit's, with one line for each dict of what is other than in `POST`."""
    path.parent.mkdir(exist_ok=True)
    names = [name for name in POSTS if name != without]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, extrasaction="ignore")
        table.writeheader()
        table.writerows(dict(zip(POSTS, POST, strict=True)) | line for line in lines)
    return path


@pytest.mark.parametrize("place", ["dreaddit", "."])
def test_dreaddit(place: str, tmp_path: Path) -> None:
    second = {"subreddit": "relationships", "id": "239", "label": "0", "confidence": ""}
    posts(tmp_path / place / "dreaddit-train.csv", {}, second)
    posts(tmp_path / place / "dreaddit-test.csv", {"id": "7"})
    rows, problems = datasets.get("dreaddit").load("train", tmp_path)
    assert problems == []
    assert [(row.id, row.label, row.group) for row in rows] == [("33181", 1, "8601tu"), ("239", 0, "8601tu")]
    assert rows[0].text == POST[4]
    assert dict(rows[0].details) == {"domain": "financial", "subreddit": "almosthomeless", "confidence": 0.8}
    assert dict(rows[1].details) == {"domain": "social", "subreddit": "relationships", "confidence": None}
    assert DREADDIT.load("validation", tmp_path) == ([], [])
    [test], _ = DREADDIT.load("test", tmp_path)
    assert test.id == "7"


def test_dreaddit_s_forums_are_of_its_domains() -> None:
    assert set(dreaddit.DOMAINS.values()) == set(registry.head_tasks("stress-domain")[0].targets[0].classes)


def test_odd_posts_are_a_sentence_each_and_the_rest_goes_on(tmp_path: Path) -> None:
    odd: list[dict[str, str]] = [{}, {"text": " "}, {"subreddit": "cats", "id": "3"}, {"label": "3", "id": "4"}]
    path = posts(tmp_path / "dreaddit" / "dreaddit-train.csv", *odd, {"label": "", "id": "5"})
    rows, problems = DREADDIT.load("train", tmp_path)
    assert [row.id for row in rows] == ["33181", "3", "4", "5"]
    assert [problem.split(",")[:2] for problem in problems] == [
        ["dreaddit-train.csv", " row 2"],
        ["dreaddit-train.csv", " row 3: 'cats' is none of the forums domesticviolence"],
    ]
    target, problems = registry.head_tasks("stress")[0].encode(rows)
    assert target[:, 0].tolist() == [1, 1, -1, -1]
    assert problems == ["Row 4: '3' is no answer to stress, which knows 0, 1."]
    assert registry.head_tasks("stress-domain")[0].encode(rows)[0][:, 0].tolist() == [2, -1, 2, 2]
    posts(path, {}, without="label")
    with pytest.raises(BadInput, match=r"dreaddit-train\.csv has no column 'label': it has"):
        DREADDIT.load("train", tmp_path)
    posts(path)
    with pytest.raises(BadInput, match=r"dreaddit-train\.csv has no rows"):
        DREADDIT.load("train", tmp_path)


def test_parquet_is_taken_first(tmp_path: Path) -> None:
    posts(tmp_path / "dreaddit" / "dreaddit-train.csv", {})
    memes(tmp_path / "harmeme", "train", [meme(1)])
    pq.write_table(pa.table({"text": ["x"], "stress": [0], "domain": ["ptsd"]}), tmp_path / "dreaddit.train.parquet")
    table = pa.table({"image": [b"1"], "text": ["x"], "label": [0], "target": [None]})
    pq.write_table(table, tmp_path / "harmeme.train.parquet")
    for dataset in (DREADDIT, HARMEME):
        [row], problems = dataset.load("train", tmp_path)
        assert (row.text, problems) == ("x", [])


def meme(number: int, labels: Any = ("not harmful",), **others: Any) -> dict[str, Any]:
    name = f"covid_memes_{number}"
    return {"id": name, "image": f"{name}.png", "labels": list(labels), "text": f"words {number}"} | others


def memes(root: Path, part: str, rows: list[dict[str, Any]], table: str = "annotations") -> None:
    """Rows as HarMeme's; the pictures of all are drawn but that of number 9."""
    for folder in (root / table, root / "images"):
        folder.mkdir(parents=True, exist_ok=True)
    (root / table / f"{part}.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    for row in rows:
        if row.get("image", "").startswith("covid") and row["image"] != "covid_memes_9.png":
            (root / "images" / row["image"]).write_bytes(drawn())


@pytest.mark.parametrize("place", ["harmeme", "harmeme/mmf/data/datasets/memes/defaults"])
@pytest.mark.parametrize("table", ["annotations", "."])
def test_harmeme(place: str, table: str, tmp_path: Path) -> None:
    rows = [meme(1), meme(2, ["somewhat harmful", "individual"]), meme(3, ["Very harmful", "society"], text="")]
    memes(tmp_path / place, "train", rows, table)
    memes(tmp_path / place, "val", [meme(4)], table)
    loaded, problems = datasets.get("harmeme").load("train", tmp_path)
    assert problems == []
    assert [(row.id, row.label, row.text) for row in loaded] == [
        ("covid_memes_1.png", 0, "words 1"),
        ("covid_memes_2.png", 1, "words 2"),
        ("covid_memes_3.png", 1, None),
    ]
    assert [dict(row.details) for row in loaded] == [
        {"raw_label": "not harmful", "harm_level": "not harmful", "target": None},
        {"raw_label": "somewhat harmful|individual", "harm_level": "somewhat harmful", "target": "individual"},
        {"raw_label": "very harmful|society", "harm_level": "very harmful", "target": "society"},
    ]
    assert all(row.image == drawn() for row in loaded)
    assert loaded[0].group == group_of("words 1", None)
    [row], _ = HARMEME.load("validation", tmp_path)
    assert row.id == "covid_memes_4.png"
    names = registry.head_tasks("target")[0].targets[0].classes
    assert [names[number] for [number] in registry.head_tasks("target")[0].encode(loaded)[0]] == [
        "nobody",
        "individual",
        "society",
    ]


def test_odd_memes_are_a_sentence_each_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [
        meme(1),
        meme(2, ["quite harmful", "individual"]),
        meme(9),
        meme(9, text=""),
        meme(3) | {"labels": None},
        meme(4, image="../train.jsonl"),
        meme(5, ["very harmful", "cats"]),
    ]
    memes(tmp_path / "harmeme", "train", rows)
    loaded, problems = HARMEME.load("train", tmp_path)
    assert [(row.text, row.image is None) for row in loaded] == [
        ("words 1", False),
        ("words 9", True),
        ("words 4", True),
        ("words 5", False),
    ]
    assert [problem.split(":")[0] for problem in problems] == [f"train.jsonl, row {number}" for number in range(2, 7)]
    assert "do not hold exactly one of not harmful, somewhat harmful, very harmful; the row is left out." in problems[0]
    assert problems[1].endswith("its words are used alone.")
    assert problems[2].endswith("the row is left out.")
    assert "is no name of a picture" in problems[4]
    assert registry.head_tasks("target")[0].encode(loaded)[1] == [
        "Row covid_memes_5.png: 'cats' is no answer to target, which knows nobody, individual, organization, community, "
        "society."
    ]
    memes(tmp_path / "harmeme", "train", [{"id": "1", "image": "covid_memes_1.png", "text": "x"}])
    with pytest.raises(BadInput, match=r"train\.jsonl has no column 'labels': it has 'id', 'image', 'text'"):
        HARMEME.load("train", tmp_path)
    with pytest.raises(BadInput, match=r"val\.jsonl is missing under"):
        HARMEME.load("validation", tmp_path)
