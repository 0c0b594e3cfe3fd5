"""Probabilities, calibration and decisions of the four kinds of head."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.classifiers.heads import Head, Rule, Target, columns

THREE = Target("size", ("small", "middle", "large"))
TWO = Target("there", ("no", "yes"))
HEADS = {
    "binary": Head("a", "binary", (TWO,)),
    "single": Head("b", "single", (THREE,)),
    "ordinal": Head("c", "ordinal", (THREE,)),
    "multi": Head("d", "multi", (TWO, Target("kind", ("no", "yes")))),
}
LOGITS = arrays(float, (5, 3), elements=st.floats(-30, 30))


@pytest.mark.parametrize("kind", HEADS)
@given(logits=LOGITS)
@settings(max_examples=25, deadline=None)
def test_probabilities_of_each_target_sum_to_one(kind: str, logits: np.ndarray) -> None:
    head = HEADS[kind]
    for target, probs in zip(head.targets, head.probabilities(logits[:, : head.logits]), strict=True):
        assert probs.shape == (5, len(target.classes))
        assert np.allclose(probs.sum(1), 1)
        assert (probs >= 0).all()


def test_ordinal_takes_differences_and_puts_crossing_boundaries_in_order() -> None:
    even, crossing = HEADS["ordinal"].uncalibrated_probs(np.array([[0.0, -np.log(3)], [-1.0, 4.0]]))[0]
    assert np.allclose(even, [0.5, 0.25, 0.25])
    assert crossing[1] == pytest.approx(0)  # P(y > 1) cannot be larger than P(y > 0)


@given(raw=arrays(float, (4, 3), elements=st.floats(0.1, 1)), scale=st.floats(0.3, 3), tilt=st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_uncalibrate_undoes_calibration(raw: np.ndarray, scale: float, tilt: float) -> None:
    # No probability gets below the smallest that is told apart, where nothing could be undone.
    raw = raw / raw.sum(1, keepdims=True)
    rule = Rule(scale, (tilt, 0.0, -tilt))
    assert np.allclose(rule.uncalibrate(rule.calibrate(raw)), raw, atol=1e-3)


def test_an_offset_is_a_threshold() -> None:
    half = np.log(0.2 / 0.8) / 2
    rule = Rule(offsets=(half, -half))
    assert rule.threshold() == pytest.approx(0.2)
    probs = np.array([[0.81, 0.19], [0.79, 0.21]])
    assert rule.decide(probs).tolist() == [0, 1]


def test_networks_are_averaged_and_columns_follow_each_other() -> None:
    head = HEADS["binary"]
    assert np.allclose(head.probabilities(np.array([[[2.0]], [[-2.0]]]))[0], 0.5)
    assert columns(list(HEADS.values())) == [slice(0, 1), slice(1, 4), slice(4, 6), slice(6, 8)]


@pytest.mark.parametrize("kind", HEADS)
def test_a_card_gives_back_the_head(kind: str) -> None:
    head = HEADS[kind]
    rules = tuple(Rule(2.0, tuple(0.1 for _ in q.classes), tuple(0.2 for _ in q.classes)) for q in head.targets)
    whole = Head(head.name, head.kind, head.targets, rules)
    assert Head.from_dict(whole.to_dict()) == whole
    assert list(whole.to_dict()) == ["name", "kind", "questions", "rules"]  # as the weights folders have them


@pytest.mark.parametrize(
    ("kind", "targets", "sentence"),
    [("binary", (THREE,), "two classes"), ("single", (TWO, TWO), "one target"), ("other", (TWO,), "not 'other'")],
)
def test_a_head_that_does_not_fit_is_refused(kind: str, targets: tuple[Target, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Head("x", kind, targets)  # type: ignore[arg-type]


def test_a_target_needs_two_different_classes() -> None:
    with pytest.raises(ValueError, match="two different classes"):
        Target("x", ("a", "a"))
