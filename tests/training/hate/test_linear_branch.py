"""The linear branches are the logistic regressions that they were made from, and each moves one head only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.features.tokens import ImageTokens, TextTokens
from training.hate import linear_branch
from training.hate.config import HEADS, LinearBranchConfig
from training.hate.data import Data, Rows

RNG = np.random.default_rng(0)
COUNT = 60
BRANCHES = {
    "text": LinearBranchConfig("hate", "memes", "text", C=0.1, weight=0.5),
    "image": LinearBranchConfig("harm", "memes", "image", C=0.1, weight=2.0),
}


def memes() -> Data:
    """Memes of two words and 49 patches each; the last one has neither."""
    words = (RNG.normal(size=(COUNT, 2, 5)) * [1, 5, 0.2, 1, 1] + [0, 3, 0, 0, 0]).astype(np.float16)
    patches = RNG.normal(size=(COUNT, 49, 4)).astype(np.float16)
    patches[:, :, 1] += RNG.normal(size=(COUNT, 1))
    labels = (words[:, :, 1].mean(1) + 2 * patches[:, :, 1].mean(1) + RNG.normal(size=COUNT) > 3).astype(int)
    index = np.append(np.arange(COUNT - 1), -1)
    texts = TextTokens(words.reshape(-1, 5), np.arange(0, 2 * COUNT + 1, 2))
    return Data(texts, ImageTokens(patches), {"memes": Rows(index, index, labels, index)}, np.zeros(0, int))


@pytest.mark.parametrize("modality", ["text", "image"])
def test_a_branch_is_the_regression_on_standardised_means(modality: str) -> None:
    data, config = memes(), BRANCHES[modality]
    branch = linear_branch.fit(data, [config])
    features, present = linear_branch.mean_tokens(data, data.rows["memes"], modality)
    scaler = StandardScaler().fit(features[present])
    model = LogisticRegression(C=0.1, max_iter=300).fit(
        scaler.transform(features[present]), data.rows["memes"].label[present]
    )
    image, text = data.pictures.batch(data.rows["memes"].picture), data.texts.batch(data.rows["memes"].text)
    logits = branch(*image, *text).numpy()
    column = HEADS.index(config.head)
    expected = config.weight * model.decision_function(scaler.transform(features[present]))
    np.testing.assert_allclose(logits[present, column], expected, atol=1e-3)
    assert not logits[:, 1 - column].any()
    assert not logits[~present].any()  # nothing is added where the modality is absent


def test_branches_of_both_sides_add_up() -> None:
    data = memes()
    inputs = *data.pictures.batch(np.arange(8)), *data.texts.batch(np.arange(8))
    both, *single = (
        linear_branch.fit(data, configs)(*inputs)
        for configs in ([*BRANCHES.values()], [BRANCHES["text"]], [BRANCHES["image"]])
    )
    torch.testing.assert_close(both, single[0] + single[1])


@pytest.mark.parametrize("modality", ["text", "image"])
def test_out_of_fold_no_row_is_judged_by_a_branch_that_saw_it(modality: str) -> None:
    data, folds = memes(), np.arange(COUNT) % 3
    logits = linear_branch.out_of_fold(data, BRANCHES[modality], folds)
    flipped = data.rows["memes"].label.copy()
    flipped[folds == 0] = 1 - flipped[folds == 0]
    changed = replace(data, rows={"memes": replace(data.rows["memes"], label=flipped)})
    again = linear_branch.out_of_fold(changed, BRANCHES[modality], folds)
    np.testing.assert_array_equal(logits[folds == 0], again[folds == 0])
    assert np.abs(logits[folds == 1] - again[folds == 1]).max() > 0.01
    assert logits[-1] == 0  # it has no such modality


def test_a_branch_from_other_rows_adds_what_it_ships() -> None:
    data = memes()
    rows = data.rows["memes"].take(np.arange(10))
    data = replace(data, rows=data.rows | {"others": rows})
    logits = linear_branch.out_of_fold(data, BRANCHES["text"], np.zeros(10, int), "others")
    branch = linear_branch.fit(data, [BRANCHES["text"]])
    inputs = *data.pictures.batch(rows.picture), *data.texts.batch(rows.text)
    np.testing.assert_allclose(logits, branch(*inputs)[:, HEADS.index("hate")].numpy(), atol=1e-3)


def test_the_mean_leaves_out_what_is_not_there() -> None:
    texts = TextTokens(np.arange(12, dtype=np.float16).reshape(4, 3), np.array([0, 1, 4]))
    patches = np.stack([np.full((49, 2), 5), np.tile([[1, 3]], (49, 1))]).astype(np.float16)
    index = np.array([1, -1, 0])
    data = Data(texts, ImageTokens(patches), {}, index)
    rows = Rows(index, index, index, index)
    words, present = linear_branch.mean_tokens(data, rows, "text")
    np.testing.assert_array_equal(words, [[6, 7, 8], [0, 0, 0], [0, 1, 2]])
    np.testing.assert_array_equal(linear_branch.mean_tokens(data, rows, "image")[0], [[1, 3], [0, 0], [5, 5]])
    assert present.tolist() == [True, False, True]


def test_a_branch_from_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="text or image"):
        LinearBranchConfig("hate", "memes", "sound", C=1, weight=1)
