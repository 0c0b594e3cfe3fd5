"""The linear path is the logistic regression that it was made from, and it moves one head only."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training import wide
from training.features import Texts
from training.hate_rows import HARM, HATE, Rows

RNG = np.random.default_rng(0)
WORDS = (RNG.normal(size=(60, 5)) * [1, 5, 0.2, 1, 1] + [0, 3, 0, 0, 0]).astype(np.float32)
LABELS = (WORDS[:, 1] + RNG.normal(size=60) > 3).astype(int)


def test_the_layer_is_the_regression_on_standardised_words() -> None:
    layer = wide.fit(WORDS, LABELS, strength=0.1, weight=0.5, outputs=2)
    scaler = StandardScaler().fit(WORDS)
    model = LogisticRegression(C=0.1, max_iter=300).fit(scaler.transform(WORDS), LABELS)
    added = layer(torch.from_numpy(WORDS)).numpy()
    np.testing.assert_allclose(added[:, HATE], 0.5 * model.decision_function(scaler.transform(WORDS)), atol=1e-4)
    assert not added[:, HARM].any()


def test_out_of_fold_no_row_is_judged_by_a_path_that_saw_it() -> None:
    parts = np.arange(60) % 3
    added = wide.out_of_fold(WORDS, LABELS, parts, strength=0.1, weight=1.0)
    turned = LABELS.copy()
    turned[parts == 0] = 1 - turned[parts == 0]
    again = wide.out_of_fold(WORDS, turned, parts, strength=0.1, weight=1.0)
    np.testing.assert_array_equal(added[parts == 0], again[parts == 0])
    assert np.abs(added[parts == 1] - again[parts == 1]).max() > 0.01


def test_the_mean_word_leaves_out_what_is_not_there() -> None:
    texts = Texts(np.arange(12, dtype=np.float16).reshape(4, 3), np.array([0, 1, 4]))
    nothing = np.zeros(3, int)
    found = wide.mean_words(texts, Rows(np.array([1, -1, 0]), nothing, nothing, nothing))
    np.testing.assert_array_equal(found, [[6, 7, 8], [0, 0, 0], [0, 1, 2]])
