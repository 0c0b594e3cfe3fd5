from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.backbones.sentences import LengthBuckets, Sentences, SentenceSchedule, SentenceTower, predict

SCHEDULE = SentenceSchedule(batch_size=4, max_length=12)
TEXTS = [" ".join(["word"] * (1 + (5 * row) % 9)) + f" {row}" for row in range(23)]
NUMBERS = np.arange(23, dtype=np.float32)[:, None]


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_comes_once_an_epoch_with_its_own_target(shuffle: bool) -> None:
    buckets = LengthBuckets(Sentences(TEXTS, NUMBERS), SCHEDULE, shuffle=shuffle)
    lengths = {number: len(ids) for number, ids in enumerate(buckets.ids)}
    orders = []
    for _ in range(2):
        batches = list(buckets)
        assert len(batches) == len(buckets) == 6
        order = [int(number) for _, _, targets, _ in batches for number in targets[:, 0]]
        assert sorted(order) == list(range(23))
        for embedded, mask, targets, offsets in batches:
            assert embedded.shape == (*mask.shape, 384)
            assert not offsets.any()
            assert mask.sum(1).tolist() == [lengths[int(number)] for number in targets[:, 0]]
            assert int(mask.sum(1).max() - mask.sum(1).min()) <= 4, "a batch holds sentences of similar length"
        orders.append(order)
    assert (orders[0] != orders[1]) is shuffle


def test_a_resumed_run_goes_on_behind_the_batches_it_has_seen() -> None:
    whole, resumed = (LengthBuckets(Sentences(TEXTS, NUMBERS), SCHEDULE, shuffle=True) for _ in range(2))
    batches = [batch for _ in range(2) for batch in whole]
    resumed.start_at(8)
    rest = [batch for _ in range(2) for batch in resumed][:4]
    assert [batch[2].tolist() for batch in rest] == [batch[2].tolist() for batch in batches[8:]]


def test_long_sentences_are_cut() -> None:
    data = Sentences(["word " * 50], np.zeros((1, 1)))
    (embedded, mask, *_), *_ = LengthBuckets(data, SCHEDULE, shuffle=False)
    assert embedded.shape == (1, 12, 384)
    assert mask.all()


def test_predictions_come_in_the_order_of_the_texts() -> None:
    class Length(nn.Module):
        def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
            return mask.sum(1, keepdim=True).float()

    lengths = [len(ids) for ids in LengthBuckets(Sentences(TEXTS, NUMBERS), SCHEDULE, shuffle=False).ids]
    assert predict(Length(), TEXTS, SCHEDULE)[:, 0].tolist() == lengths  # type: ignore[arg-type]
    assert len(set(lengths)) > 3


def test_what_is_unknown_costs_nothing_and_outputs_are_weighted() -> None:
    module = SentenceTower(3, SCHEDULE, steps=1, loss_weights=[1.0, 0.5, 0.5])
    logits = torch.tensor([[0.0, 2.0, 9.0], [0.0, -1.0, 9.0]])
    targets = torch.tensor([[1.0, 1.0, math.nan], [0.0, math.nan, math.nan]])
    expected = math.log(2) + 0.5 * math.log(1 + math.exp(-2)) / 2
    assert float(module.loss(logits, targets)) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}, {"lr": 1.0}])
def test_a_schedule_refuses_nonsense(wrong: dict[str, float]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        SentenceSchedule(**wrong)  # type: ignore[arg-type]
