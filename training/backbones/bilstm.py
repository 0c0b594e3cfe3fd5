"""`bilstm`: words of the training rows with embeddings that are learned, read by an LSTM in both directions.

(Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005.) The vocabulary is that of the rows it is prepared with
first: of the training rows, so that words seen only later are unknown, as they will be in use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.tokenizers.words import UNKNOWN, WordList, split
from training.backbones.base import Asked, Store
from training.backbones.mini import sparse


@dataclass(frozen=True)
class Numbers:
    """Word numbers of each text."""

    rows: list[list[int]]

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """int64 (B, longest) and mask; absent and empty texts have none."""
        found = [self.rows[row] if row >= 0 else [] for row in rows]
        longest = max(2, *(len(row) for row in found))
        numbers, mask = torch.zeros(len(found), longest, dtype=torch.long), torch.zeros(len(found), longest)
        for at, row in enumerate(found):
            numbers[at, : len(row)] = torch.tensor(row, dtype=torch.long)
            mask[at, : len(row)] = 1
        return numbers, mask.bool()


class BiLSTM:
    """`options`: `words` in the vocabulary, the embedding's `size`, `hidden` units a direction, `dropout`."""

    spec, reads = "bilstm", "words"

    def __init__(self, modality: str, asked: Asked, cache: Path) -> None:
        self.asked = asked
        sizes = {"words": 6000, "size": 96, "hidden": 96, "dropout": 0.3} | dict(asked.options)
        self.words: list[str] | None = None
        self.most = int(sizes["words"])
        self.width = 2 * int(sizes["hidden"])
        self.module: nn.Module = Reader(self.most + 2, int(sizes["size"]), int(sizes["hidden"]), sizes["dropout"])
        self.settings: dict[str, Any] = {"frozen": False, "longest": asked.longest, **sizes}

    def learn(self, texts: Sequence[str | None]) -> None:
        """Takes the commonest words of these texts for its vocabulary."""
        counts = Counter(word for text in texts if text for word in split(text))
        self.words = [word for word, count in counts.most_common(self.most) if count > 1]

    def prepare(self, data: Sequence[Any]) -> Store:
        if self.words is None:
            self.learn(data)
        listed = WordList(tuple(self.words or ()), max_length=self.asked.longest)
        return sparse(data, lambda texts: Numbers([listed.ids(text) for text in texts]))


class Reader(nn.Module):
    """(B, W) word numbers to (B, W, 2 hidden)."""

    def __init__(self, words: int, size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(words, size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.forth, self.back = nn.LSTM(size, hidden, batch_first=True), nn.LSTM(size, hidden, batch_first=True)

    def forward(self, numbers: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:  # now and then a known word is read as unknown, so that this embedding is learned too
            lost = (torch.rand_like(mask, dtype=torch.float32) < 0.05) & mask
            numbers = numbers.masked_fill(lost, UNKNOWN)
        words = self.dropout(self.table(numbers))  # (B, W, size)
        forth, _ = self.forth(words)  # (B, W, hidden)
        order = _reversed(mask)  # (B, W)
        back, _ = self.back(_pick(words, order))
        return torch.cat([forth, _pick(back, order)], dim=-1), mask


def _reversed(mask: Tensor) -> Tensor:
    """For each place the place it comes from when each row's real words are read backwards; padding stays behind."""
    places = torch.arange(mask.shape[1], device=mask.device)[None]  # (1, W)
    length = mask.sum(1, keepdim=True)  # (B, 1)
    return torch.where(places < length, length - 1 - places, places)


def _pick(tokens: Tensor, order: Tensor) -> Tensor:
    return tokens.gather(1, order[..., None].expand(-1, -1, tokens.shape[-1]))
