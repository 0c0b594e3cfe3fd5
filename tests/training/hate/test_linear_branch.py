"""The linear paths are the logistic regressions that they were made from, and each moves one head only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.features.tokens import ImageTokens, TextTokens
from training.hate import linear_branch
from training.hate.data import HARM, HATE, Data, Rows

RNG = np.random.default_rng(0)
COUNT, WIDTHS = 60, {"words": 5, "picture": 4}
PATHS = {
    "words": linear_branch.Path("hate", "memes", "words", strength=0.1, weight=0.5),
    "picture": linear_branch.Path("harm", "memes", "picture", strength=0.1, weight=2.0),
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


@pytest.mark.parametrize("side", ["words", "picture"])
def test_a_path_is_the_regression_on_standardised_means(side: str) -> None:
    data, path = memes(), PATHS[side]
    layers = linear_branch.fit(data, [path], image_width=4, text_width=5)
    features, here = linear_branch.mean_tokens(data, data.rows["memes"], side)
    scaler = StandardScaler().fit(features[here])
    model = LogisticRegression(C=0.1, max_iter=300).fit(
        scaler.transform(features[here]), data.rows["memes"].label[here]
    )
    image, text = data.pictures.batch(data.rows["memes"].picture), data.texts.batch(data.rows["memes"].text)
    added = layers(*image, *text).numpy()
    moved, other = (HATE, HARM) if path.head == "hate" else (HARM, HATE)
    expected = path.weight * model.decision_function(scaler.transform(features[here]))
    np.testing.assert_allclose(added[here, moved], expected, atol=1e-3)
    assert not added[:, other].any()
    assert not added[~here].any()  # nothing is added where the side is absent


def test_paths_of_both_sides_add_up() -> None:
    data = memes()
    sides = *data.pictures.batch(np.arange(8)), *data.texts.batch(np.arange(8))
    both, *single = (
        linear_branch.fit(data, paths, image_width=4, text_width=5)(*sides)
        for paths in ([*PATHS.values()], [PATHS["words"]], [PATHS["picture"]])
    )
    torch.testing.assert_close(both, single[0] + single[1])


@pytest.mark.parametrize("side", ["words", "picture"])
def test_out_of_fold_no_row_is_judged_by_a_path_that_saw_it(side: str) -> None:
    data, parts = memes(), np.arange(COUNT) % 3
    added = linear_branch.out_of_fold(data, PATHS[side], parts)
    turned = data.rows["memes"].label.copy()
    turned[parts == 0] = 1 - turned[parts == 0]
    other = replace(data, rows={"memes": replace(data.rows["memes"], label=turned)})
    again = linear_branch.out_of_fold(other, PATHS[side], parts)
    np.testing.assert_array_equal(added[parts == 0], again[parts == 0])
    assert np.abs(added[parts == 1] - again[parts == 1]).max() > 0.01
    assert added[-1] == 0  # it has no such side


def test_a_path_from_other_rows_adds_what_it_ships() -> None:
    data = memes()
    shown = data.rows["memes"].take(np.arange(10))
    data = replace(data, rows=data.rows | {"others": shown})
    added = linear_branch.out_of_fold(data, PATHS["words"], np.zeros(10, int), "others")
    layers = linear_branch.fit(data, [PATHS["words"]], image_width=4, text_width=5)
    sides = *data.pictures.batch(shown.picture), *data.texts.batch(shown.text)
    np.testing.assert_allclose(added, layers(*sides)[:, HATE].numpy(), atol=1e-3)


def test_the_mean_leaves_out_what_is_not_there() -> None:
    texts = TextTokens(np.arange(12, dtype=np.float16).reshape(4, 3), np.array([0, 1, 4]))
    patches = np.stack([np.full((49, 2), 5), np.tile([[1, 3]], (49, 1))]).astype(np.float16)
    index = np.array([1, -1, 0])
    data = Data(texts, ImageTokens(patches), {}, index)
    rows = Rows(index, index, index, index)
    words, here = linear_branch.mean_tokens(data, rows, "words")
    np.testing.assert_array_equal(words, [[6, 7, 8], [0, 0, 0], [0, 1, 2]])
    np.testing.assert_array_equal(linear_branch.mean_tokens(data, rows, "picture")[0], [[1, 3], [0, 0], [5, 5]])
    assert here.tolist() == [True, False, True]


def test_a_path_from_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="words or picture"):
        linear_branch.Path("hate", "memes", "sound", strength=1, weight=1)
