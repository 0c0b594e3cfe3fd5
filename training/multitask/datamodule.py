"""A data set's rows as batches of a system: prepared sides, targets, and rows of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from training.backbones.base import TokenStore
from training.multitask.config import Schedule

CHUNK = 16  # batches that are sorted by length together


@dataclass(frozen=True)
class Prepared:
    """`image` and `text` are the stores of the sides that the system has; `target` int64 [rows, all questions]."""

    image: TokenStore | None
    text: TokenStore | None
    has_image: np.ndarray
    has_text: np.ndarray
    target: np.ndarray
    lengths: np.ndarray

    def batch(self, rows: np.ndarray, drop_side: float = 0.0) -> dict[str, Tensor]:
        """The named inputs of `network.parts`; `drop_side` is modality dropout, which never takes a row's last side."""
        image = np.where(self.has_image[rows], rows, -1)
        text = np.where(self.has_text[rows], rows, -1)
        if drop_side and self.image is not None and self.text is not None:
            dice = torch.rand(len(rows)).numpy()  # torch's generator: seeded with the rest, apart in each process
            image, text = (
                np.where((dice < drop_side) & (text >= 0), -1, image),
                np.where((dice >= 1 - drop_side) & (image >= 0), -1, text),
            )
        pictures, image_mask = _side(self.image, image)
        words, text_mask = _side(self.text, text)
        return {
            "image": pictures, "image_mask": image_mask, "text": words, "text_mask": text_mask,
            "target": torch.from_numpy(self.target[rows]),
        }  # fmt: skip


def _side(store: TokenStore | None, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    if store is None:
        return torch.zeros(len(rows), 1, 1), torch.zeros(len(rows), 1, dtype=torch.bool)
    return store.batch(rows)


class Numbers(Dataset):
    """Row numbers: what a batch holds is fetched for all of them at once."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> int:
        return int(self.rows[at])


class ByLength(BatchSampler):
    """Batches of rows of like length, from chunks of whatever order `sampler` gives (Lightning may put in another)."""

    def __init__(self, sampler: Sampler, batch_size: int, drop_last: bool, lengths: Sequence[int]) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.lengths = lengths

    def __iter__(self) -> Iterator[list[int]]:
        waiting: list[int] = []
        for at in self.sampler:
            waiting.append(at)
            if len(waiting) == CHUNK * self.batch_size:
                yield from self._sorted(waiting)
                waiting = []
        yield from self._sorted(waiting)

    def _sorted(self, some: list[int]) -> list[list[int]]:
        some = sorted(some, key=lambda at: self.lengths[at])
        batches = [some[start : start + self.batch_size] for start in range(0, len(some), self.batch_size)]
        if len(batches) > 1 and len(batches[-1]) == 1 and self.batch_size > 2:  # batch norm learns nothing from one row
            batches[-1].insert(0, batches[-2].pop())
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        return [batches[at] for at in torch.randperm(len(batches)).tolist()]


def loader(data: Prepared, rows: np.ndarray, batch: int, *, drop_side: float = 0.0, shuffle: bool) -> DataLoader:
    """Batches of these rows, in a new order each epoch if `shuffle`, in theirs otherwise."""
    numbers = Numbers(rows)

    def collate(some: list[int]) -> dict[str, Tensor]:
        return data.batch(np.asarray(some), drop_side)

    if not shuffle:
        return DataLoader(numbers, batch_size=batch, collate_fn=collate)
    sampler = ByLength(torch.utils.data.RandomSampler(numbers), batch, False, data.lengths[rows].tolist())
    return DataLoader(numbers, batch_sampler=sampler, collate_fn=collate)


class Batches(L.LightningDataModule):
    """A fold's loaders. They are built in these hooks, and nowhere earlier, because Lightning records there what a batch
    sampler was built with: over several devices it builds `ByLength` anew around each process's share of the rows.
    """

    def __init__(self, data: Prepared, seen: np.ndarray, unseen: np.ndarray, schedule: Schedule) -> None:
        super().__init__()
        self.rows, self.seen, self.unseen, self.schedule = data, seen, unseen, schedule

    def train_dataloader(self) -> DataLoader:
        schedule = self.schedule
        return loader(self.rows, self.seen, schedule.batch, drop_side=schedule.drop_side, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return loader(self.rows, self.unseen, 4 * self.schedule.batch, shuffle=False)
