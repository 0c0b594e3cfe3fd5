"""The rows of a multitask model with their targets and prepared inputs, and their folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from models import evaluation_files
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from models.tokenizers.words import cleaned
from training.datasets import registry as datasets
from training.datasets.base import Row, usable_rows
from training.engine.folds import group_folds, group_holdout, stratified_group_folds
from training.multitask.builder import ModelBuilder
from training.multitask.config import MultitaskConfig, ScheduleConfig
from training.multitask.datamodule import Prepared
from training.tasks import registry as tasks

TRAIN, VALIDATION = 0, 1
SPLITS = ("train", "validation")


@dataclass(frozen=True)
class LabelledRows:
    """Rows that have a label for at least one task: `split` int [rows], `target` int64 [rows, all targets]."""

    rows: list[Row]
    split: np.ndarray
    target: np.ndarray
    problems: list[str]

    def train_keys(self) -> np.ndarray:
        """`evaluation_files.row_key` of the training rows, uint64."""
        return row_keys([row for row, split in zip(self.rows, self.split, strict=True) if split == TRAIN])


@dataclass(frozen=True)
class MultitaskData:
    """All rows of a model, training rows first, with their prepared inputs; `split` is TRAIN or VALIDATION."""

    rows: list[Row]
    split: np.ndarray
    prepared: Prepared
    problems: list[str] = field(default_factory=list)

    @property
    def training(self) -> np.ndarray:
        """The numbers of the training rows."""
        return np.flatnonzero(self.split == TRAIN)

    @property
    def validation(self) -> np.ndarray:
        """The numbers of the validation rows."""
        return np.flatnonzero(self.split == VALIDATION)

    def keys(self, rows: np.ndarray) -> np.ndarray:
        """`evaluation_files.row_key` of these rows, uint64."""
        return row_keys([self.rows[row] for row in rows])

    def groups(self, rows: np.ndarray) -> np.ndarray:
        """The group of each of these rows; a row without one is a group of its own."""
        return np.array([self.rows[row].group or f"row {row}" for row in rows])

    def identity(self) -> str:
        """A hash of the training rows and of what their folds depend on: keys, groups and targets, in their order."""
        groups = "\n".join(self.rows[row].group for row in self.training)
        parts = (self.keys(self.training).tobytes(), groups.encode(), self.prepared.target[self.training].tobytes())
        return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()


def load(
    builder: ModelBuilder, folder: str | Path | None, *, limit: int | None = None, rows: Sequence[Row] | None = None
) -> MultitaskData:
    """The rows of the folder, or the training rows given as `rows`, with prepared inputs and targets."""
    labelled = read_rows(builder.config, folder, limit=limit, rows=rows)
    return MultitaskData(labelled.rows, labelled.split, prepare(builder, labelled), labelled.problems)


def read_rows(
    config: MultitaskConfig, folder: str | Path | None, *, limit: int | None = None, rows: Sequence[Row] | None = None
) -> LabelledRows:
    """The rows of both splits that have a label for any of the tasks, `limit` of each; `rows` replace those on the disk.

    Raises `BadInput` if no training row has a label.
    """
    all_tasks = [task for name in config.tasks for task in tasks.head_tasks(name)]
    all_rows: list[Row] = []
    splits, targets, problems = [], [], []
    for split, split_name in enumerate(SPLITS if rows is None else SPLITS[:1]):
        split_rows, complaints = (
            (list(rows), []) if rows is not None else datasets.get(config.data).load(split_name, folder)
        )
        problems += complaints
        split_rows, complaints = (split_rows, []) if config.image is None else usable_rows(split_rows)
        split_rows = split_rows[:limit]
        columns, bad_labels = zip(*(task.encode(split_rows) for task in all_tasks), strict=True)
        # a bad label is reported by each task that reads it, and the same row may stand in both splits
        complaints = list(dict.fromkeys([*complaints, *(sentence for task in bad_labels for sentence in task)]))
        problems += [f"{config.data}, {split_name}: {sentence}" for sentence in complaints]
        all_rows += split_rows
        splits.append(np.full(len(split_rows), split))
        targets.append(np.concatenate(columns, axis=1))
    split_of, target = np.concatenate(splits), np.concatenate(targets)
    labelled = (target != UNKNOWN).any(axis=1)
    if not labelled[split_of == TRAIN].any():
        raise BadInput(f"No row of {config.data} answers any of {', '.join(config.tasks)}.")
    return LabelledRows(
        [row for row, has_label in zip(all_rows, labelled, strict=True) if has_label],
        split_of[labelled], target[labelled], problems,
    )  # fmt: skip


def row_keys(rows: Sequence[Row]) -> np.ndarray:
    """`evaluation_files.row_key` of each row, uint64."""
    return np.array([evaluation_files.row_key(row.text, row.image) for row in rows], np.uint64)


def prepare(builder: ModelBuilder, labelled: LabelledRows) -> Prepared:
    """Both modalities of these rows; an encoder that first learns from texts learns from those of training rows."""
    rows, config = labelled.rows, builder.config.text
    texts = [cleaned(row.text) if row.text and config and config.clean else row.text for row in rows]
    image_store = text_store = None
    if builder.image is not None:
        image_store = builder.image.prepare([row.image for row in rows])
    if builder.text is not None:
        builder.text.learn_words([text for text, split in zip(texts, labelled.split, strict=True) if split == TRAIN])
        text_store = builder.text.prepare(texts)
    return Prepared(
        image_store,
        text_store,
        np.array([row.image is not None for row in rows]),
        np.array([row.text is not None for row in rows]),
        labelled.target.astype(np.int64),
        np.array([len(text or "") for text in texts]),
    )


def folds(schedule: ScheduleConfig, data: MultitaskData) -> np.ndarray:
    """The fold of each training row, by group; with one fold -1 marks the rows that the network learns from."""
    rows = data.training
    groups = data.groups(rows)
    if schedule.folds == 1:
        return group_holdout(groups, schedule.holdout_fraction, schedule.seed)
    return stratified_group_folds(data.prepared.target[rows][:, 0], groups, schedule.folds, schedule.seed)


def fifths(data: MultitaskData, rows: np.ndarray, seed: int) -> np.ndarray:
    """Five folds of these rows by group, to fit decision rules on four of them and to judge them by the fifth."""
    groups = data.groups(rows)
    if len(np.unique(groups)) == 1:
        groups = np.arange(len(rows))
    return group_folds(groups, 5, np.random.default_rng(seed))
