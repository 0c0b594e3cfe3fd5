"""Official layouts: Memotion's csv, AxiOM's and RESTORE's tables; what is off is one sentence and the rest goes on."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from training.datasets import base
from training.datasets.base import Row, usable_rows
from training.datasets.memotion import MEMOTION, MEMOTION_POLARITY
from training.datasets.mental_health import AXIOM, RESTORE
from training.tasks import registry
from training.tasks.memotion import GRADES

HEADER = [
    "",
    "image_name",
    "text_ocr",
    "text_corrected",
    "humour",
    "sarcasm",
    "offensive",
    "motivational",
    "overall_sentiment",
]


def picture(colour: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 16), (colour, 40, 40)).save(buffer, "PNG")
    return buffer.getvalue()


def memotion_csv(root: Path, lines: list[list[str]], header: list[str] = HEADER) -> None:
    folder = root / "memotion_dataset_7k"
    (folder / "images").mkdir(parents=True)
    for number, line in enumerate(lines):
        if line[1] != "gone.jpg":
            (folder / "images" / line[1]).write_bytes(picture(number))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])


def line(
    name: str, words: str = "look there", sentiment: str = "very_positive", humour: str = "hilarious"
) -> list[str]:
    return ["0", name, words.upper(), words, humour, "general", "slight", "motivational", sentiment]


def test_memotion_as_on_kaggle(tmp_path: Path) -> None:
    memotion_csv(tmp_path, [line("one.jpg"), line("gone.jpg"), line("two.jpg", "", "negative", "not_funny")])
    rows, problems = MEMOTION.load("train", tmp_path)
    assert [row.id for row in rows] == ["one.jpg", "two.jpg"]
    assert len(problems) == 1
    assert "labels.csv, line 3: the picture gone.jpg is not in" in problems[0]
    assert MEMOTION.load("validation", tmp_path) == ([], [])
    sentiment, types, humour = (
        registry.head_tasks(name)[0] for name in ("memotion-sentiment", "memotion-types", "memotion-intensity")
    )
    assert [sentiment.encode_row(row) for row in rows] == [[2], [0]]
    assert [types.encode_row(row) for row in rows] == [[1, 1, 1, 1], [0, 1, 1, 1]]
    assert [humour.encode_row(row) for row in rows] == [[3], [0]]


def test_a_missing_column_is_one_sentence(tmp_path: Path) -> None:
    memotion_csv(tmp_path, [line("one.jpg")[:-1]], HEADER[:-1])
    with pytest.raises(BadInput, match=r"labels\.csv has no column 'overall_sentiment': it has"):
        MEMOTION.load("train", tmp_path)


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    memotion_csv(tmp_path, [])
    with pytest.raises(BadInput, match=r"labels\.csv has no rows\.$"):
        MEMOTION.load("train", tmp_path)
    file = table(tmp_path, "axiom", [{"sample_id": "TR-1"}], "csv")
    file.write_text("sample_id,ocr_text,meme_anxiety_category\n")
    with pytest.raises(BadInput, match=r"train\.csv has no rows\.$"):
        AXIOM.load("train", tmp_path)


def test_a_strange_label_leaves_the_other_rows(tmp_path: Path) -> None:
    memotion_csv(tmp_path, [line("one.jpg", sentiment="so_so"), line("two.jpg")])
    rows, _ = MEMOTION.load("train", tmp_path)
    target, problems = registry.head_tasks("memotion-sentiment")[0].encode(rows)
    assert target.tolist() == [[-1], [2]]
    assert problems == [f"Row one.jpg: 'so_so' is no answer to sentiment, which knows {', '.join(GRADES)}."]


def test_polarity_takes_each_meme_once_and_none_without_words(tmp_path: Path) -> None:
    memotion_csv(tmp_path, [line("one.jpg", "Look, there!"), line("two.jpg", "?!"), line("three.jpg", "other words")])
    folder = tmp_path / "memotion_dataset_7k" / "images"
    (folder / "three.jpg").write_bytes(b"no picture")
    rows, problems = MEMOTION_POLARITY.load("train", tmp_path)
    assert [row.id for row in rows] == ["one.jpg"]
    assert len(problems) == 1
    assert problems[0].startswith("Row three.jpg:")


def test_each_picture_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`training.multitask.data.load` asks `usable_rows` again for the rows that the polarity's loader has tried."""
    memotion_csv(tmp_path, [line("one.jpg"), line("copy.jpg"), line("two.jpg", "other words")])
    images = tmp_path / "memotion_dataset_7k" / "images"
    (images / "copy.jpg").write_bytes((images / "one.jpg").read_bytes())
    opened: list[bytes] = []
    monkeypatch.setattr(base, "open_picture", opened.append)
    rows, _ = MEMOTION_POLARITY.load("train", tmp_path)
    assert [row.id for row in rows] == ["one.jpg", "two.jpg"]
    assert usable_rows(rows) == (rows, [])
    assert opened == [row.image for row in rows]


def table(root: Path, name: str, rows: list[dict[str, Any]], kind: str = "json") -> Path:
    folder = root / name
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "TR-1.jpg").write_bytes(picture())
    file = folder / f"train.{kind}"
    if kind == "json":
        file.write_text(json.dumps(rows))
    elif kind == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        with file.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return file


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_axiom(tmp_path: Path, kind: str) -> None:
    rows = [
        {
            "sample_id": "TR-1",
            "image_id": "TR-1.jpg",
            "ocr_text": "cannot sit still",
            "meme_anxiety_category": "Restlessness",
        },
        {
            "sample_id": "TR-2",
            "image_id": "TR-2.jpg",
            "ocr_text": "words alone",
            "meme_anxiety_category": "Irritatbily",
        },
        {"sample_id": "TR-3", "image_id": "TR-3.jpg", "ocr_text": "", "meme_anxiety_category": "Nervousness"},
        {"sample_id": "TR-4", "image_id": "TR-1.jpg", "ocr_text": "x", "meme_anxiety_category": ""},
    ]
    table(tmp_path, "axiom", rows, kind)
    loaded, problems = AXIOM.load("train", tmp_path)
    assert [(row.id, row.image is not None) for row in loaded] == [("TR-1", True), ("TR-2", False)]
    task = registry.head_tasks("axiom")[0]
    assert [task.targets[0].classes[task.encode_row(row)[0]] for row in loaded] == ["restlessness", "irritability"]
    assert [problem.split(":")[0] for problem in problems] == ["train." + kind + f", row {n}" for n in (2, 3, 4)]
    assert "its words are used alone" in problems[0]
    assert "the row is left out" in problems[1]
    assert AXIOM.load("validation", tmp_path) == ([], [])


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_restore_takes_lists(tmp_path: Path, kind: str) -> None:
    first: Any = ["Self-Harm", "Feeling Down"]
    rows = [
        {"sample_id": "TR-1", "ocr_text": "a", "meme_depressive_categories": first if kind == "json" else str(first)},
        {"sample_id": "TR-1", "ocr_text": "b", "meme_depressive_categories": [] if kind == "json" else ""},
    ]
    table(tmp_path, "restore", rows, kind)
    loaded, _ = RESTORE.load("train", tmp_path)
    task = registry.head_tasks("restore")[0]
    names = [question.name for question in task.targets]
    assert [name for name, yes in zip(names, task.encode_row(loaded[0]), strict=True) if yes] == [
        "feeling_down",
        "self_harm",
    ]
    assert sum(task.encode_row(loaded[1])) == 0


def test_a_strange_category_names_the_row(tmp_path: Path) -> None:
    table(tmp_path, "restore", [{"sample_id": "TR-1", "ocr_text": "a", "meme_depressive_categories": ["Hunger"]}])
    loaded, _ = RESTORE.load("train", tmp_path)
    with pytest.raises(
        BadInput, match="Row TR-1: 'hunger' is no answer to depression, which knows lack_of_interest, feel"
    ):
        registry.head_tasks("restore")[0].encode_row(loaded[0])


LEVELS = {"humour": "funny", "sarcasm": "general", "offensive": "slight", "motivational": "motivational"}
STRANGE = [
    ("stress", Row("x", "7", label=3), "3 is no answer to stress, which knows 0, 1."),
    ("stress", Row("x", "7", label="yes"), "'yes' is no answer to stress, which knows 0, 1."),
    ("stress-domain", Row("x", "7", details={"domain": "cats"}), "'cats' is no answer to domain, which knows abuse, "
     "anxiety, financial, ptsd, social."),
    ("memotion-types", Row("x", "7", details=LEVELS | {"humour": "fun"}), "'fun' is no answer to humour, which knows "
     "not_funny, funny, very_funny, hilarious."),
    ("memotion-offence", Row("x", "7", details=LEVELS | {"offensive": "rude"}), "'rude' is no answer to offence, which "
     "knows not_offensive, slight, very_offensive, hateful_offensive."),
    ("memotion-polarity", Row("x", "7", label="very_so"), "'very_so' is no answer to sentiment, which knows "
     "very_negative, negative, neutral, positive, very_positive."),
    ("memotion-sentiment", Row("x", "7", label="very_neutral"), "'very_neutral' is no answer to sentiment, which knows "
     "very_negative, negative, neutral, positive, very_positive."),
    ("axiom", Row("x", "7", label="Hunger"), "'hunger' is no answer to anxiety, which knows nervousness, "
     "lack_of_worry_control, excessive_worry, difficulty_relaxing, restlessness, irritability, impending_doom."),
    ("restore", Row("x", "7", label=("Feeling Down", "Hunger")), "'hunger' is no answer to depression, which knows "
     "lack_of_interest, feeling_down, sleeping_disorder, lack_of_energy, eating_disorder, low_self_esteem, "
     "concentration_problem, self_harm."),
    ("target", Row("x", "7", label=1, details={"target": "cats"}), "'cats' is no answer to target, which knows nobody, "
     "individual, organization, community, society."),
]  # fmt: skip


@pytest.mark.parametrize(("task", "row", "message"), STRANGE, ids=lambda value: value if isinstance(value, str) else "")
def test_a_label_outside_the_set_is_told_what_the_file_may_hold(task: str, row: Row, message: str) -> None:
    target, problems = registry.head_tasks(task)[0].encode([row])
    assert problems == [f"Row 7: {message}"]
    assert (target == UNKNOWN).all()


@pytest.mark.parametrize(
    ("content", "message"), [("{", "cannot be read"), ("3", "list of rows"), ("[]", "has no rows")]
)
def test_a_damaged_table_is_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    file = table(tmp_path, "axiom", [{"sample_id": "TR-1"}])
    file.write_text(content)
    with pytest.raises(BadInput, match=message):
        AXIOM.load("train", tmp_path)


def test_rows_that_are_not_there_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="give them out on request"):
        AXIOM.load("train", tmp_path)


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    row = {"sample_id": "1", "image_id": "../axiom.png", "ocr_text": "", "meme_anxiety_category": "Nervousness"}
    table(tmp_path, "axiom", [row])
    (tmp_path / "axiom" / "axiom.png").write_bytes(picture())
    loaded, problems = AXIOM.load("train", tmp_path)
    assert loaded == []
    assert "is no name of a picture" in problems[0]


def test_unreadable_pictures_leave_their_words() -> None:
    rows = [Row("x", "1", "words", b"broken"), Row("x", "2", None, b"broken"), Row("x", "3", None, picture())]
    loaded, problems = usable_rows(rows)
    assert [(row.id, row.image is None) for row in loaded] == [("1", True), ("3", False)]
    assert len(problems) == 3
