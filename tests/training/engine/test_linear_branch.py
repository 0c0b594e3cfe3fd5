"""The linear branch by hand: standardised means through one layer, nothing for a modality that is absent."""

from __future__ import annotations

import torch

from models.fusion.base import masked_mean
from training.engine.linear_branch import LinearBranch


def test_the_mean_leaves_out_padding() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]], [[5.0, 5.0]] * 3])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    torch.testing.assert_close(masked_mean(tokens, mask), torch.tensor([[2.0, 4.0], [0.0, 0.0]]))


def test_an_untouched_branch_adds_nothing_and_learns_nothing() -> None:
    branch = LinearBranch({"text": 3}, 2)
    tokens, mask = torch.randn(4, 2, 3), torch.ones(4, 2, dtype=torch.bool)
    assert not branch(tokens, mask, tokens, mask).any()
    assert not any(parameter.requires_grad for parameter in branch.parameters())


def test_standardised_weights_are_folded_into_the_layer() -> None:
    torch.manual_seed(0)
    branch = LinearBranch({"image": 3, "text": 2}, 2)
    weight, mean, scale = torch.randn(2, 3), torch.randn(3), torch.tensor([0.5, 2.0, torch.inf])
    branch.set_standardised("image", weight, mean, scale)
    branch.bias.copy_(torch.tensor([1.0, -1.0]))
    image, text = torch.randn(2, 4, 3), torch.randn(2, 1, 2)
    image_mask, text_mask = torch.tensor([[True] * 4, [False] * 4]), torch.ones(2, 1, dtype=torch.bool)
    logits = branch(image, image_mask, text, text_mask)
    torch.testing.assert_close(logits[0], weight @ ((image[0].mean(0) - mean) / scale) + branch.bias)
    torch.testing.assert_close(logits[1], branch.bias)
