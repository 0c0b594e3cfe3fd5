"""Losses of heads against torch's own on rows where they must agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from models.classifiers.heads import Head, Question
from training.engine.losses import UNKNOWN, class_weights, loss

THREE, TWO = Question("q", ("a", "b", "c")), Question("p", ("no", "yes"))


def test_single_and_binary_are_torchs() -> None:
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    even = [torch.ones(3)]
    assert loss(Head("t", "single", (THREE,)), logits, target[:, None], even) == pytest.approx(
        float(cross_entropy(logits, target))
    )
    yes = torch.tensor([0, 1, 1, 0, 1, 0])
    wanted = binary_cross_entropy_with_logits(logits[:, 0], yes.float())
    assert loss(Head("t", "binary", (TWO,)), logits[:, :1], yes[:, None], [torch.ones(2)]) == pytest.approx(
        float(wanted)
    )


def test_ordinal_is_a_yes_or_no_at_each_boundary() -> None:
    logits = torch.tensor([[2.0, -1.0]])
    wanted = binary_cross_entropy_with_logits(logits, torch.tensor([[1.0, 0.0]]))
    assert loss(Head("t", "ordinal", (THREE,)), logits, torch.tensor([[1]]), [torch.ones(3)]) == pytest.approx(
        float(wanted)
    )


def test_unknown_answers_add_nothing() -> None:
    head, logits = Head("t", "multi", (TWO, Question("r", ("no", "yes")))), torch.randn(3, 2)
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
