"""InfoNCE written out, and losses of heads against torch's own on rows where they must agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

from models.classifiers.heads import Head, Target
from models.evaluation_files import UNKNOWN
from training.engine.losses import class_weights, info_nce, loss, symmetric_info_nce

THREE, TWO = Target("q", ("a", "b", "c")), Target("p", ("no", "yes"))


def test_single_and_binary_are_torchs() -> None:
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    even = [torch.ones(3)]
    assert loss(Head("t", "single", (THREE,)), logits, target[:, None], even) == pytest.approx(
        float(cross_entropy(logits, target))
    )
    yes = torch.tensor([0, 1, 1, 0, 1, 0])
    expected = binary_cross_entropy_with_logits(logits[:, 0], yes.float())
    assert loss(Head("t", "binary", (TWO,)), logits[:, :1], yes[:, None], [torch.ones(2)]) == pytest.approx(
        float(expected)
    )


def test_ordinal_is_a_yes_or_no_at_each_boundary() -> None:
    logits = torch.tensor([[2.0, -1.0]])
    expected = binary_cross_entropy_with_logits(logits, torch.tensor([[1.0, 0.0]]))
    assert loss(Head("t", "ordinal", (THREE,)), logits, torch.tensor([[1]]), [torch.ones(3)]) == pytest.approx(
        float(expected)
    )


def test_unknown_answers_add_nothing() -> None:
    head, logits = Head("t", "multi", (TWO, Target("r", ("no", "yes")))), torch.randn(3, 2)
    target = torch.tensor([[1, UNKNOWN], [0, UNKNOWN], [UNKNOWN, UNKNOWN]])
    even = [torch.ones(2), torch.ones(2)]
    known = binary_cross_entropy_with_logits(logits[:2, 0], torch.tensor([1.0, 0.0]))
    assert loss(head, logits, target, even) == pytest.approx(float(known) / 2)
    assert float(loss(head, logits, torch.full((3, 2), UNKNOWN), even)) == 0


def test_class_weights_run_from_rows_alike_to_classes_alike() -> None:
    head, target = Head("t", "single", (THREE,)), np.array([[0]] * 8 + [[1]] * 2)
    assert torch.allclose(class_weights(target, head, 0.0)[0][:2], torch.ones(2))
    rare = class_weights(target, head, 1.0)[0]
    assert rare[1] == pytest.approx(4 * float(rare[0]))
    assert float((rare[:2] * torch.tensor([8.0, 2.0])).sum()) == pytest.approx(10)
    assert rare[2] == 0  # a class without rows


def unit(rows: int, seed: int) -> Tensor:
    return normalize(torch.randn(rows, 16, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_without_hardness_it_is_info_nce() -> None:
    queries, candidates, own = unit(6, 0), unit(9, 1), torch.arange(6)
    none = torch.zeros(6, 9, dtype=torch.bool)
    loss = info_nce(queries, candidates, own, torch.tensor(20.0), ignored=none)
    assert loss.item() == pytest.approx(cross_entropy(20 * queries @ candidates.T, own).item(), abs=1e-5)


def test_hard_negatives_count_more_and_the_mean_weight_stays_1() -> None:
    queries, own = unit(1, 0), torch.tensor([0])
    candidates = torch.cat([queries, queries * 0.9 + unit(1, 5) * 0.1, -queries])
    none = torch.zeros(1, 3, dtype=torch.bool)
    plain, hard = (info_nce(queries, candidates, own, torch.tensor(5.0), ignored=none, hardness=b) for b in (0.0, 3.0))
    assert hard > plain
    even = torch.cat([queries, *[candidates[1:2]] * 4])  # all negatives alike: each weight is 1
    none = torch.zeros(1, 5, dtype=torch.bool)
    plain, hard = (info_nce(queries, even, own, torch.tensor(5.0), ignored=none, hardness=b) for b in (0.0, 3.0))
    assert hard.item() == pytest.approx(plain.item(), abs=1e-5)


def test_another_caption_of_the_same_picture_is_no_negative() -> None:
    queries, own = unit(2, 0), torch.arange(2)
    candidates = torch.cat([queries, queries[:1]])  # row 2 is another caption of picture 0
    belongs = torch.tensor([[True, False, True], [False, True, False]])
    expected = info_nce(queries, queries, own, torch.tensor(9.0), ignored=belongs[:, :2])
    assert info_nce(queries, candidates, own, torch.tensor(9.0), ignored=belongs)[None][0].item() != pytest.approx(
        info_nce(queries, candidates, own, torch.tensor(9.0), ignored=torch.zeros(2, 3, dtype=torch.bool)).item()
    )
    first = cross_entropy((9 * queries[:1] @ queries.T), own[:1])
    second = cross_entropy((9 * queries[1:] @ candidates.T), own[1:])
    assert expected.item() == pytest.approx(
        ((first + cross_entropy(9 * queries[1:] @ queries.T, own[1:])) / 2).item(), abs=1e-5
    )
    loss = info_nce(queries, candidates, own, torch.tensor(9.0), ignored=belongs)
    assert loss.item() == pytest.approx(((first + second) / 2).item(), abs=1e-5)


def test_the_symmetric_loss_is_the_mean_of_both_directions() -> None:
    left, right, own = unit(6, 0), unit(6, 1), torch.arange(6)
    scores = 20 * left @ right.T
    expected = (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2
    assert symmetric_info_nce(left, right, 20.0).item() == pytest.approx(expected.item(), abs=1e-5)
