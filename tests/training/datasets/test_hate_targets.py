"""Who is spoken of: what the file tells and what it leaves open, and our own templates beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.classifiers.targets import KINDS, TARGETS, TITLES
from models.errors import BadInput
from training.datasets import hate_targets
from training.datasets.base import Row
from training.datasets.counterfactuals import Sentence
from training.datasets.hate_targets import HATE_TARGETS, read_targets, template_rows
from training.tasks import registry

TABLE = {
    "text": ["some words on two", "kind words", "of nobody knows whom", "others"],
    "label": [1, 0, 0, 1],
    "targets": [["women", "Roma and Travellers"], ["LGBT+"], [], ["Jews"]],
    "kind": ["threateninglanguage", "counter_narrative", "none", "unknown"],
    "source_set": ["hatemoji_build", "dialoconan", "hatemoji_build", "dialoconan"],
    "group": [1, 2, 3, 4],
}
TASKS = registry.TASKS["hate-target"], registry.TASKS["hate-kind"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split in ("train", "validation"):
        pq.write_table(pa.table(TABLE), tmp_path / f"hate_targets.{split}.parquet")
    return tmp_path


def labels(row: Row) -> dict[str, str | None]:
    by_task = [zip(task.targets, task.labels(row) or (), strict=True) for task in TASKS]  # type: ignore[attr-defined]
    return {target.name: name for pairs in by_task for target, name in pairs}


def yes(row: Row) -> set[str]:
    return {name for name, label in labels(row).items() if label == name}


def unknown(row: Row) -> set[str]:
    return {name for name, label in labels(row).items() if label is None}


def test_what_the_file_leaves_open_is_unknown(folder: Path) -> None:
    two, kind_words, nobody_knows, others = HATE_TARGETS.read_parquet(folder / "hate_targets.train.parquet")
    assert yes(two) == {"women", "roma", "threat"}
    assert unknown(two) == set()
    assert yes(kind_words) == {"gay_people"}
    assert unknown(kind_words) == {"trans_people"}  # LGBT+ may mean them
    assert unknown(nobody_knows) == set(TARGETS)
    assert yes(others) == {"jews"}
    assert unknown(others) == set(KINDS)


def test_the_tower_s_training_reads_the_same(folder: Path) -> None:
    rows = HATE_TARGETS.read_parquet(folder / "hate_targets.train.parquet")
    for row, (text, values) in zip(rows, read_targets(folder, "train"), strict=True):
        assert text == row.text
        names = dict(zip((*TARGETS, *KINDS), values, strict=True))
        assert {name for name, value in names.items() if value == 1} == yes(row)
        assert {name for name, value in names.items() if np.isnan(value)} == unknown(row)


def test_templates_are_rows_of_both_splits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [
        Sentence("roma are welcome", 0, "kind", "roma", "roma", "en"),
        Sentence("no more roma", 1, "hateful", "roma", "roma", "en"),
        Sentence("what a game", 0, "plain", "", "", "de"),
        Sentence("lives matter", 0, "slogan", "", "", "en"),
    ]
    splits: list[str] = []
    monkeypatch.setattr(hate_targets.counterfactuals, "sentences", lambda split, names: (splits.append(split), ours)[1])
    for split in ("train", "validation"):
        rows, problems = HATE_TARGETS.load(split, folder)
        assert problems == []
        assert [row.text for row in rows] == [*TABLE["text"], *(sentence.text for sentence in ours)]
        welcome, no_more, plain, slogan = rows[-4:]
        assert (yes(welcome), unknown(welcome)) == ({"roma"}, set())
        assert (yes(no_more), unknown(no_more)) == ({"roma"}, set(KINDS))
        assert (yes(plain), unknown(plain)) == (set(), set())
        assert unknown(slogan) == set(TARGETS)  # it may speak of a group all the same
    assert splits == ["train", "validation"]


def test_every_group_is_in_the_templates_of_both_splits() -> None:
    for split in ("train", "validation"):
        assert set().union(*map(yes, template_rows(split))) == set(TARGETS)


def test_an_unknown_name_is_one_sentence(folder: Path) -> None:
    row = Row("hate_targets", "7", "words", None, 1, details={"targets": ["women", "wizards"], "kind": "slander"})
    with pytest.raises(BadInput, match="Row 7: 'wizards' is no answer to target, which knows women"):
        TASKS[0].labels(row)  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="Row 7: 'slander' is no answer to kind"):
        TASKS[1].labels(row)  # type: ignore[attr-defined]


def test_every_name_has_a_title() -> None:
    assert set(TITLES) == {*TARGETS, *KINDS}
    assert len(set(TITLES.values())) == len(TITLES)
