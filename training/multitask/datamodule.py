"""Batches of a multitask model: prepared inputs, targets, and rows of similar length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler

from training.backbones.base import TokenStore
from training.multitask.config import ScheduleConfig

BUCKET_BATCHES = 16  # batches that are sorted by length together
VALIDATION_FACTOR = 4  # validation batches are this much larger


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
        image_tokens, image_mask = _inputs(self.image, image)
        text_tokens, text_mask = _inputs(self.text, text)
        return {
            "image": image_tokens, "image_mask": image_mask, "text": text_tokens, "text_mask": text_mask,
            "target": torch.from_numpy(self.target[rows]),
        }  # fmt: skip


def _inputs(store: TokenStore | None, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    if store is None:
        return torch.zeros(len(rows), 1, 1), torch.zeros(len(rows), 1, dtype=torch.bool)
    return store.batch(rows)


class RowNumbers(Dataset):
    """Row numbers: the inputs of a batch are fetched for all of its rows at once."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        return int(self.rows[index])


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
        rows, schedule = RowNumbers(self.train_rows), self.schedule
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
            RowNumbers(self.held_out_rows),
            batch_size=VALIDATION_FACTOR * self.schedule.batch_size,
            collate_fn=lambda batch: self.data.batch(np.asarray(batch)),
        )
