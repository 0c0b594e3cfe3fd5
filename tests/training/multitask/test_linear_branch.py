"""The linear branch beside a network is a ridge regression on standardised mean tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from models.classifiers.heads import Head, Target
from training.engine.linear_branch import LinearBranch
from training.multitask import linear_branch
from training.multitask.config import LinearBranchConfig
from training.multitask.data import Prepared

ROWS = 400
YES = Target("a", ("no", "yes"))
HEADS = (Head("one", "binary", (YES,)), Head("two", "single", (Target("b", ("a", "b", "c")),)))


@dataclass(frozen=True)
class OneToken:
    """A store of one token a row."""

    values: np.ndarray

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.values[rows])[:, None], torch.ones(len(rows), 1, dtype=torch.bool)


@pytest.fixture
def data() -> Prepared:
    """The first number of image (4 wide) and text (6 wide) knows the label."""
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=ROWS)
    image, text = (rng.normal(size=(ROWS, width)).astype(np.float32) for width in (4, 6))
    image[:, 0] += label
    text[:, 0] = 3 * (text[:, 0] + label) + 5
    present = np.ones(ROWS, bool)
    target = np.stack([label, rng.integers(3, size=ROWS)], axis=1)
    return Prepared(OneToken(image), OneToken(text), present, present, target, np.ones(ROWS))


def logits(data: Prepared, config: LinearBranchConfig) -> np.ndarray:
    branch = LinearBranch({"image": 4, "text": 6}, 4)
    linear_branch.fit(branch, data, np.arange(ROWS), HEADS, config)
    batch = data.batch(np.arange(ROWS))
    return branch(batch["image"], batch["image_mask"], batch["text"], batch["text_mask"]).numpy()


def test_its_logits_are_those_of_a_ridge_regression(data: Prepared) -> None:
    branch_logits = logits(data, LinearBranchConfig(alpha=2.0, text_scale=1.5))
    values = (data.image.values, data.text.values)  # type: ignore[union-attr]
    image, text = ((value - value.mean(0)) / value.std(0) / np.sqrt(value.shape[1]) for value in values)
    features = np.concatenate([image, 1.5 * text], axis=1)
    indicators = [data.target[:, 0] == 1, *(data.target[:, 1] == number for number in range(3))]
    for column, indicator in enumerate(indicators):
        frequency = indicator.mean()
        above = Ridge(alpha=2.0).fit(features, indicator.astype(float)).predict(features) - frequency
        binary = column == 0
        start = np.log(frequency / (1 - frequency)) if binary else np.log(frequency)
        derivative = 1 / (frequency * (1 - frequency)) if binary else 1 / frequency
        np.testing.assert_allclose(branch_logits[:, column], start + derivative * above, atol=2e-3)


def test_a_larger_alpha_shrinks_the_branch(data: Prepared) -> None:
    weak, strong = logits(data, LinearBranchConfig(alpha=1.0)), logits(data, LinearBranchConfig(alpha=1e4))
    assert strong[:, 0].std() < weak[:, 0].std() / 10


def test_a_feature_that_never_varies_gets_no_weight(data: Prepared) -> None:
    data.image.values[:, 1] = 7.0  # type: ignore[union-attr]
    branch = LinearBranch({"image": 4, "text": 6}, 4)
    linear_branch.fit(branch, data, np.arange(ROWS), HEADS, LinearBranchConfig())
    assert not branch.layers["image"].weight[:, 1].any()
    assert branch.layers["image"].weight[:, 0].all()
