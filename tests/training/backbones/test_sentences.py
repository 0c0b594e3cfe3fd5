from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from training.backbones.sentences import LengthBuckets, SentenceSchedule, predict

SCHEDULE = SentenceSchedule(batch_size=4, max_length=12)
TEXTS = [" ".join(["word"] * (1 + (5 * row) % 9)) + f" {row}" for row in range(23)]
NUMBERS = np.arange(23, dtype=np.float32)[:, None]


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_comes_once_an_epoch_with_its_own_target(shuffle: bool) -> None:
    buckets = LengthBuckets(TEXTS, NUMBERS, SCHEDULE, shuffle=shuffle)
    lengths = {number: len(ids) for number, ids in enumerate(buckets.ids)}
    orders = []
    for _ in range(2):
        batches = list(buckets)
        assert len(batches) == len(buckets) == 6
        order = [int(number) for _, _, targets in batches for number in targets[:, 0]]
        assert sorted(order) == list(range(23))
        for ids, mask, targets in batches:
            assert ids.shape == mask.shape
            assert mask.sum(1).tolist() == [lengths[int(number)] for number in targets[:, 0]]
            assert int(mask.sum(1).max() - mask.sum(1).min()) <= 4, "a batch holds sentences of similar length"
        orders.append(order)
    assert (orders[0] != orders[1]) is shuffle


def test_long_sentences_are_cut() -> None:
    (ids, mask, _), *_ = LengthBuckets(["word " * 50], np.zeros((1, 1)), SCHEDULE, shuffle=False)
    assert ids.shape == (1, 12)
    assert mask.all()


def test_predictions_come_in_the_order_of_the_texts() -> None:
    class Length(nn.Module):
        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            return mask.sum(1, keepdim=True).float()

    lengths = [len(ids) for ids in LengthBuckets(TEXTS, NUMBERS, SCHEDULE, shuffle=False).ids]
    assert predict(Length(), TEXTS, SCHEDULE)[:, 0].tolist() == lengths  # type: ignore[arg-type]
    assert len(set(lengths)) > 3


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}, {"lr": 1.0}])
def test_a_schedule_refuses_nonsense(wrong: dict[str, float]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        SentenceSchedule(**wrong)  # type: ignore[arg-type]
