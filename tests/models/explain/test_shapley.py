"""Games whose values are known."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.analysis import Shapley
from models.explain.evidence import two_player

logits = st.floats(-20, 20)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy


def game(neither: float, picture: float, words: float, both: float) -> Shapley:
    table = {(False, False): neither, (True, False): picture, (False, True): words, (True, True): both}
    return two_player(lambda image, text: table[image, text])


def test_by_hand() -> None:
    # picture first: it adds 2 - 1 = 1, the words then 7 - 2 = 5; words first: they add -2 - 1 = -3, the picture then 9
    assert game(1, 2, -2, 7) == Shapley(base=1, image=(1 + 9) / 2, text=(5 - 3) / 2, interaction=8, total=7)


@unhurried
@given(logits, logits, logits, logits)
def test_efficiency(neither: float, picture: float, words: float, both: float) -> None:
    values = game(neither, picture, words, both)
    assert values.base + values.image + values.text == pytest.approx(values.total, abs=1e-9)
    alone = picture - neither
    assert values.image == pytest.approx(alone + values.interaction / 2, abs=1e-9)


@unhurried
@given(logits, logits, logits)
def test_symmetry(neither: float, alone: float, both: float) -> None:
    values = game(neither, alone, alone, both)
    assert values.image == pytest.approx(values.text, abs=1e-9)


@unhurried
@given(logits, logits)
def test_a_side_that_changes_nothing_gets_nothing(without: float, with_words: float) -> None:
    values = game(without, without, with_words, with_words)
    assert (values.image, values.interaction) == (0, 0)
    assert values.text == pytest.approx(with_words - without, abs=1e-9)


@unhurried
@given(st.tuples(logits, logits, logits, logits), st.tuples(logits, logits, logits, logits))
def test_values_of_a_sum_are_sums_of_the_values(
    f: tuple[float, float, float, float], g: tuple[float, float, float, float]
) -> None:
    first, second = game(*f), game(*g)
    both = game(f[0] + g[0], f[1] + g[1], f[2] + g[2], f[3] + g[3])
    assert both.image == pytest.approx(first.image + second.image, abs=1e-9)


def test_each_case_is_asked_once() -> None:
    calls = []
    two_player(lambda image, text: calls.append((image, text)) or 0.0)  # type: ignore[func-returns-value]
    assert sorted(calls) == [(False, False), (False, True), (True, False), (True, True)]
