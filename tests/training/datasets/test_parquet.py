"""Files drawn in the official layouts, and what other tools leave in files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import BadInput
from training.datasets.base import Dataset, Row, parquet_path
from training.datasets.dreaddit import DREADDIT
from training.datasets.flickr8k import FLICKR8K
from training.datasets.harmeme import HARMEME
from training.datasets.memotion import ASPECTS, MEMOTION
from training.datasets.oasis import OASIS
from training.datasets.published import FER2013, GOEMOTIONS, HATE_TEXT, RELIGIOUS_HATEFUL, VOTES
from training.datasets.registry import DATASETS, get

OWN = Dataset("own")  # a file of anybody's, with the usual columns


def write(path: Path, **columns: list) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"harmeme\.train\.parquet is missing.*SUBTEXT_DATA"):
        HARMEME.load("train", tmp_path)[0]
    with pytest.raises(BadInput, match="not 'test'"):
        parquet_path("harmeme", "test", tmp_path)


def test_the_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_DATA", str(tmp_path))
    write(tmp_path / "religious_hateful.train.parquet", id=["a"], image=[b"1"], text=["words"], label=[1], group=[7])
    assert RELIGIOUS_HATEFUL.load("train")[0] == [Row("religious_hateful", "a", "words", b"1", 1, "7")]


def test_memes_with_details(tmp_path: Path) -> None:
    write(
        tmp_path / "harmeme.train.parquet",
        id=["a", "b"], image=[b"1", b"2"], text=["words", ""], label=[0, 1], raw_label=["not harmful", "very harmful"],
        harm_level=["", "very"], target=["", "individual"], group=[3, 3],
    )  # fmt: skip
    first, second = HARMEME.load("train", tmp_path)[0]
    assert first == Row(
        "harmeme", "a", "words", b"1", 0, "3", {"raw_label": "not harmful", "harm_level": "", "target": ""}
    )
    assert second.text is None
    assert second.details["target"] == "individual"


def test_sentences(tmp_path: Path) -> None:
    write(
        tmp_path / "hate_text.validation.parquet",
        text=["x y"], label=[0], raw_label=["offensive"], source_set=["davidson"], group=[1],
    )  # fmt: skip
    [row] = HATE_TEXT.load("validation", tmp_path)[0]
    assert (row.id, row.image, row.label, row.details["raw_label"]) == ("0", None, 0, "offensive")


def test_labels_of_their_own_shape(tmp_path: Path) -> None:
    write(tmp_path / "goemotions.train.parquet", text=["x"], labels=[["joy", "love"]])
    write(
        tmp_path / "dreaddit.train.parquet",
        text=["x"],
        stress=[1],
        domain=["ptsd"],
        subreddit=["p"],
        group=["g"],
        confidence=[0.8],
    )
    write(
        tmp_path / "memotion.train.parquet",
        image_name=["i.png"],
        image=[b"1"],
        text=["x"],
        overall_sentiment=["positive"],
        humour=["funny"],
        sarcasm=["general"],
        offensive=["slight"],
        motivational=["motivational"],
    )
    assert GOEMOTIONS.load("train", tmp_path)[0][0].label == ("joy", "love")
    assert DREADDIT.load("train", tmp_path)[0][0].label == 1
    [meme] = MEMOTION.load("train", tmp_path)[0]
    assert (meme.id, meme.label) == ("i.png", "positive")
    assert meme.details == {
        "humour": "funny",
        "sarcasm": "general",
        "offensive": "slight",
        "motivational": "motivational",
        "overall_sentiment": "positive",
    }


def test_pictures(tmp_path: Path) -> None:
    votes = {name: [float(number)] for number, name in enumerate(VOTES)}
    write(tmp_path / "fer2013.train.parquet", image=[b"1"], label=["sad"], **votes)
    write(tmp_path / "flickr8k.train.parquet", id=["f"], image=[b"1"], captions=[["one", "two"]])
    write(tmp_path / "oasis.train.parquet", image=[b"1"], theme=["Dog 1"], category=["Animal"], valence_mean=[5.5],
          arousal_mean=[3.0])  # fmt: skip
    assert FER2013.load("train", tmp_path)[0][0].details["fp_NF"] == 9
    assert FLICKR8K.load("train", tmp_path)[0][0].details["captions"] == ["one", "two"]
    [photograph] = OASIS.load("train", tmp_path)[0]
    assert (photograph.label, photograph.details["valence_mean"]) == (None, 5.5)


def test_files_of_other_tools(tmp_path: Path) -> None:
    """Labels as floats, truth values or missing; pictures in a struct; blank words; no id."""
    path = write(
        tmp_path / "own.parquet",
        image=[{"bytes": b"1", "path": "a.png"}, {"bytes": b"", "path": None}, None],
        text=["  ", None, "x"],
        label=[1.0, float("nan"), 0.0],
    )
    rows = OWN.read_parquet(path)
    assert [row.image for row in rows] == [b"1", None, None]
    assert [row.text for row in rows] == [None, None, "x"]
    assert [row.label for row in rows] == [1, None, 0]
    assert [row.id for row in rows] == ["0", "1", "2"]
    assert rows[0].source == "own"
    assert [row.id for row in OWN.read_parquet(path, limit=2)] == ["0", "1"]
    assert [
        row.label for row in OWN.read_parquet(write(tmp_path / "t.parquet", text=["a", "b"], label=[True, False]))
    ] == [1, 0]


REQUIRED = {
    "dreaddit": ("text", "stress", "domain"),
    "fer2013": ("image", "label", *VOTES),
    "flickr8k": ("image", "captions"),
    "goemotions": ("text", "labels"),
    "harmeme": ("image", "text", "label", "target"),
    "hate_text": ("text", "label"),
    "memotion": ("image", "text", *ASPECTS),
    "oasis": ("image", "valence_mean", "arousal_mean"),
    "religious_hateful": ("image", "text", "label"),
}
COLUMNS = [(name, column) for name, columns in REQUIRED.items() for column in columns]


@pytest.mark.parametrize(("name", "missing"), COLUMNS)
def test_a_missing_column_is_one_sentence_with_the_file(name: str, missing: str, tmp_path: Path) -> None:
    columns: dict[str, list] = {column: [b"1"] if column == "image" else ["x"] for column in REQUIRED[name]}
    path = write(tmp_path / f"{name}.train.parquet", **columns)
    assert len(get(name).load("train", tmp_path)[0]) == 1  # the others are not required
    write(path, **{column: values for column, values in columns.items() if column != missing}, other=["x"])
    with pytest.raises(BadInput) as caught:
        get(name).load("train", tmp_path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} has no column '{missing}', which {name} needs: it has ")
    assert sentence.endswith("'other'.")


def test_an_unknown_data_set_is_refused_with_the_nearest_name() -> None:
    assert all(name == dataset.name for name, dataset in DATASETS.items())
    with pytest.raises(BadInput, match=r"There is no data set 'memotoin'.*memotion"):
        get("memotoin")


def test_several_missing_columns_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "own.parquet", text=["x"])
    with pytest.raises(BadInput, match="no columns 'label', 'target', which own needs: it has 'text'"):
        OWN.read_parquet(path, required=("label", "text", "target"))


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no file .*nowhere\.parquet: check its name"):
        OWN.read_parquet(tmp_path / "nowhere.parquet")
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(BadInput, match="cannot be read as a Parquet file"):
        OWN.read_parquet(tmp_path / "text.parquet")
    with pytest.raises(BadInput, match="neither a column image nor a column text, but label"):
        OWN.read_parquet(write(tmp_path / "labels.parquet", label=[1]))
