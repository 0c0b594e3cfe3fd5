"""The linear path beside a network: each task reads the parts that it is told to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.classifiers.heads import Head, Question
from models.errors import BadInput
from training.multitask import config, linear_branch, train
from training.multitask.datamodule import Prepared

ROWS = 400
YES = Question("a", ("no", "yes"))
HEADS = (Head("one", "binary", (YES,)), Head("two", "binary", (YES,)))


@dataclass(frozen=True)
class Given:
    """A store of one token a row."""

    values: np.ndarray

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.values[rows])[:, None], torch.ones(len(rows), 1, dtype=torch.bool)


def drawn() -> Prepared:
    """Picture (4 wide) and both halves of the words (3 wide each) know the answer, each by its first number."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=ROWS)
    image, text = (rng.normal(size=(ROWS, width)).astype(np.float32) for width in (4, 6))
    image[:, 0] += truth
    text[:, [0, 3]] += truth[:, None]
    there = np.ones(ROWS, bool)
    return Prepared(Given(image), Given(text), there, there, np.stack([truth, truth], axis=1), np.ones(ROWS))


def fitted(**tasks: dict[str, float]) -> np.ndarray:
    """The slopes [tasks, 10]."""
    wide = linear_branch.Wide({"image": 4, "text": 6}, 2)
    linear_branch.fit(wide, drawn(), np.arange(ROWS), HEADS, strength=1.0, weights={}, tasks=tasks)
    return wide.layer.weight.detach().numpy()


def test_a_task_leaves_out_what_it_is_told_to_and_the_others_do_not() -> None:
    plain, told = fitted(), fitted(two={"image": 0.0, "last": 0.0})
    assert np.allclose(plain[0], plain[1])
    assert np.allclose(told[0], plain[0])
    assert not told[1, :4].any()
    assert not told[1, 7:].any()
    assert told[1, 4] > plain[1, 4] > 0  # it has to answer alone


def test_a_part_that_counts_less_is_shrunk_more() -> None:
    plain, told = fitted(), fitted(two={"third": 0.1})
    assert abs(told[1, 4]) < abs(plain[1, 4])


def test_a_task_may_be_held_more_strongly() -> None:
    plain, told = fitted(), fitted(two={"strength": 1e4})
    assert np.abs(told[1]).max() < np.abs(plain[1]).max() / 10


def test_what_the_verdict_says_stands_beside_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    hate = np.zeros((2, 6), np.float32)
    hate[0, 0] = 3.0  # it looks at the first number of the words alone
    monkeypatch.setattr(linear_branch, "_verdict", lambda: hate)
    plain, told = fitted(), fitted(two={"verdict": 1.0})
    assert np.allclose(told[0], plain[0])
    assert told[1, 4] > plain[1, 4] > 0
    assert np.all(np.abs(told[1, [0, 7]]) < np.abs(plain[1, [0, 7]]))  # the spread of the sum is that of the path
    features = _features()
    assert (features @ told[1]).std() == pytest.approx((features @ plain[1]).std(), rel=1e-4)


def test_a_verdict_that_says_nothing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_branch, "_verdict", lambda: np.zeros((2, 6), np.float32))
    assert np.allclose(fitted(two={"verdict": 1.0}), fitted())


def test_the_verdict_that_ships_has_a_layer_for_mean_word_pieces() -> None:
    found = linear_branch._verdict()
    assert found.shape == (2, 768) and found.std() > 0


def test_another_tower_s_words_are_not_shown_to_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError("these words are not mini's")

    monkeypatch.setattr(linear_branch, "_verdict", never)
    wide = linear_branch.Wide({"image": 4, "text": 6}, 2)
    system = SimpleNamespace(
        recipe=SimpleNamespace(wide={"strength": 1.0, "tasks": {"two": {"verdict": 1.0, "image": 0.0}}}),
        text=SimpleNamespace(reads="pieces"),
        heads=HEADS,
    )
    train._fit_wide(system, SimpleNamespace(wide=wide), SimpleNamespace(prepared=drawn()), np.arange(ROWS))  # type: ignore[arg-type]
    assert np.allclose(wide.layer.weight.numpy(), fitted(two={"image": 0.0}))


def test_only_words_of_mini_can_be_asked_for_the_verdict() -> None:
    shipped = config.read("memotion_gmu")
    with pytest.raises(BadInput, match='encoder = "mini"'):
        replace(shipped, text=None)


def _features() -> np.ndarray:
    """What `fitted` sees: (400, 10), standardised and shrunk by the square root of a side's width."""
    given = drawn()
    parts = (given.image.values, given.text.values)
    return np.concatenate([(part - part.mean(0)) / part.std(0) / np.sqrt(part.shape[1]) for part in parts], axis=1)
