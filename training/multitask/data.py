"""The rows of a multitask model with their targets, their folds, and batches of their prepared inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, Sampler

from models import evaluation_files
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from models.tokenizers.words import cleaned
from training.backbones.base import TokenStore
from training.datasets import registry as datasets
from training.datasets.base import Row, usable_rows
from training.engine.folds import group_folds, group_holdout, stratified_group_folds
from training.multitask.config import MultitaskConfig, ScheduleConfig
from training.multitask.model import ModelBuilder
from training.tasks import registry as tasks

TRAIN, VALIDATION = 0, 1
SPLITS = ("train", "validation")
BUCKET_BATCHES = 16  # batches that are sorted by length together
VALIDATION_FACTOR = 4  # validation batches are this much larger


@dataclass(frozen=True)
class LabelledRows:
    """Rows that have a label for at least one task, training rows first.

    `split` int [rows] is TRAIN or VALIDATION; `target` int64 [rows, all targets].
    """

    rows: list[Row]
    split: np.ndarray
    target: np.ndarray
    problems: list[str]

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
        return np.array(
            [evaluation_files.row_key(self.rows[row].text, self.rows[row].image) for row in rows], np.uint64
        )


@dataclass(frozen=True)
class Prepared:
    """The stores of the modalities that the model reads, which rows have them, and `target` int64 [rows, all targets]."""

    image: TokenStore | None
    text: TokenStore | None
    has_image: np.ndarray
    has_text: np.ndarray
    target: np.ndarray
    lengths: np.ndarray

    def batch(self, rows: np.ndarray, modality_dropout: float = 0.0) -> dict[str, Tensor]:
        """The inputs of `named_losses`; `modality_dropout` never takes a row's last modality."""
        image = np.where(self.has_image[rows], rows, -1)
        text = np.where(self.has_text[rows], rows, -1)
        if modality_dropout and self.image is not None and self.text is not None:
            dice = torch.rand(len(rows)).numpy()  # torch's generator: seeded with the rest, different in each process
            image, text = (
                np.where((dice < modality_dropout) & (text >= 0), -1, image),
                np.where((dice >= 1 - modality_dropout) & (image >= 0), -1, text),
            )
        inputs = {"target": torch.from_numpy(self.target[rows])}
        absent = torch.zeros(len(rows), 1, 1), torch.zeros(len(rows), 1, dtype=torch.bool)
        for modality, store, index in (("image", self.image, image), ("text", self.text, text)):
            inputs[modality], inputs[f"{modality}_mask"] = absent if store is None else store.batch(index)
        return inputs


@dataclass(frozen=True)
class MultitaskData(LabelledRows):
    """The rows with their prepared inputs."""

    prepared: Prepared

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
    return MultitaskData(**vars(labelled), prepared=prepare(builder, labelled))


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


def prepare(builder: ModelBuilder, labelled: LabelledRows) -> Prepared:
    """Both modalities of these rows; an encoder that first learns from texts learns from those of training rows."""
    rows, config = labelled.rows, builder.config.text
    texts = [cleaned(row.text) if row.text and config and config.clean else row.text for row in rows]
    training_texts = [text for text, split in zip(texts, labelled.split, strict=True) if split == TRAIN]
    stores = {}
    for modality, encoder in builder.encoders.items():
        inputs = texts if modality == "text" else [row.image for row in rows]
        if not any(inputs):
            raise BadInput(f"The rows of {builder.config.data} have no {modality}: leave out [{modality}].")
        encoder.learn_words(training_texts)
        stores[modality] = encoder.prepare(inputs)
    return Prepared(
        stores.get("image"),
        stores.get("text"),
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


class LengthBucketSampler(BatchSampler):
    """Batches of rows of similar length, from buckets in whatever order `sampler` gives (Lightning may replace it)."""

    def __init__(self, sampler: Sampler, batch_size: int, drop_last: bool, lengths: Sequence[int]) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.lengths = lengths

    def __iter__(self) -> Iterator[list[int]]:
        bucket: list[int] = []
        for index in self.sampler:
            bucket.append(index)
            if len(bucket) == BUCKET_BATCHES * self.batch_size:
                yield from self._batches(bucket)
                bucket = []
        yield from self._batches(bucket)

    def _batches(self, bucket: list[int]) -> list[list[int]]:
        by_length = sorted(bucket, key=lambda index: self.lengths[index])
        batches = [by_length[start : start + self.batch_size] for start in range(0, len(by_length), self.batch_size)]
        if len(batches) > 1 and len(batches[-1]) == 1 and self.batch_size > 2:  # batch norm learns nothing from one row
            batches[-1].insert(0, batches[-2].pop())
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        return [batches[number] for number in torch.randperm(len(batches)).tolist()]


class MultitaskDataModule(L.LightningDataModule):
    """The loaders of a fold.

    They are built in these hooks, and nowhere earlier, because Lightning records there what a batch sampler was built with:
    over several devices it builds `LengthBucketSampler` again around each process's share of the rows.
    """

    def __init__(
        self, data: Prepared, train_rows: np.ndarray, held_out_rows: np.ndarray, schedule: ScheduleConfig
    ) -> None:
        super().__init__()
        self.data, self.train_rows, self.held_out_rows, self.schedule = data, train_rows, held_out_rows, schedule

    def train_dataloader(self) -> DataLoader:
        """The training rows in a new order each epoch, with modality dropout."""
        rows, schedule = self.train_rows.tolist(), self.schedule
        lengths = self.data.lengths[self.train_rows].tolist()
        sampler = LengthBucketSampler(RandomSampler(rows), schedule.batch_size, False, lengths)
        return DataLoader(
            rows,
            batch_sampler=sampler,
            collate_fn=lambda batch: self.data.batch(np.asarray(batch), schedule.modality_dropout),
        )

    def val_dataloader(self) -> DataLoader:
        """The held-out rows in their order."""
        return DataLoader(
            self.held_out_rows.tolist(),
            batch_size=VALIDATION_FACTOR * self.schedule.batch_size,
            collate_fn=lambda batch: self.data.batch(np.asarray(batch)),
        )
