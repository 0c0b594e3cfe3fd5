"""Decisions give classes as often as asked, calibration finds what was twisted, and nothing looks at its own fold."""

from __future__ import annotations

import numpy as np
import pytest

from models.classifiers.heads import Head, Target, softmax
from models.evaluation_files import UNKNOWN
from training.calibration import decision_rules

HEAD = Head("t", "single", (Target("q", ("a", "b", "c")),))


def rows(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of a rare, a middling and a common class, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    chances = softmax(rng.normal(size=(count, 3)) + np.log([0.08, 0.3, 0.62]))
    drawn = (chances.cumsum(1) > rng.random((count, 1))).argmax(1)
    return np.log(chances), drawn


@pytest.mark.parametrize("share", [(0.1, 0.3, 0.6), (0.34, 0.33, 0.33)])
def test_classes_are_given_as_often_as_asked(share: tuple[float, ...]) -> None:
    logs, _ = rows()
    rule = decision_rules.match_class_prior(decision_rules.Rule(), softmax(logs), np.array(share))
    given = np.bincount(rule.decide(softmax(logs)), minlength=3) / len(logs)
    assert np.allclose(given, share, atol=0.01)


def test_two_classes_are_a_quantile() -> None:
    yes = np.linspace(0.01, 0.2, 1000)
    raw = np.stack([1 - yes, yes], axis=1)
    rule = decision_rules.match_class_prior(decision_rules.Rule(), raw, np.array([0.75, 0.25]))
    assert rule.decide(raw).mean() == pytest.approx(0.25, abs=0.002)


def test_calibration_untwists() -> None:
    logs, target = rows(8000)
    twisted = softmax(2.5 * logs + np.array([1.0, 0.0, -1.0]))
    rule = decision_rules.fit_calibration(twisted, target)
    missed = [
        -np.log(chances[np.arange(len(target)), target]).mean()
        for chances in (softmax(logs), rule.calibrate(twisted), twisted)
    ]
    assert missed[1] == pytest.approx(missed[0], abs=0.01)
    assert missed[1] < missed[2] - 0.05


def test_matching_beats_the_likeliest_class_by_macro_f1() -> None:
    from sklearn.metrics import f1_score

    logs, target = rows()
    fitted = decision_rules.fit_rules(HEAD, logs, target[:, None])
    chances = fitted.probabilities(logs)[0]
    matched = f1_score(target, fitted.rules[0].decide(chances), average="macro")
    assert matched > f1_score(target, chances.argmax(1), average="macro") + 0.02


def test_nested_rules_do_not_see_their_own_fold() -> None:
    logs, target = rows(900)
    fold = np.arange(900) % 3
    before = decision_rules.cross_fit_rules([HEAD], logs, target[:, None], fold)
    changed = target.copy()
    changed[fold == 1] = 0
    after = decision_rules.cross_fit_rules([HEAD], logs, changed[:, None], fold)
    assert before[1] == after[1]
    assert before[0] != after[0]


def test_unknown_rows_count_for_nothing() -> None:
    logs, target = rows(600)
    half = target[:, None].copy()
    half[300:] = UNKNOWN
    assert decision_rules.fit_rules(HEAD, logs, half) == decision_rules.fit_rules(HEAD, logs[:300], target[:300, None])


def test_a_question_that_no_row_answers_stays_uncalibrated() -> None:
    logs, target = rows(600)
    head = Head("t", "multi", (Target("q", ("no", "q")), Target("r", ("no", "r"))))
    logits = logs[:, :2]
    targets = np.stack([(target > 0).astype(int), np.full(600, UNKNOWN)], axis=1)
    fitted = decision_rules.fit_rules(head, logits, targets)
    assert fitted.rules[1] == decision_rules.Rule()
    assert fitted.rules[0] != decision_rules.Rule()
    priors = decision_rules.class_priors(targets, head)
    again = decision_rules.refit_offsets(fitted, logits, priors, targets != UNKNOWN)
    assert again.rules[1] == decision_rules.Rule()
    nested = decision_rules.cross_fit_rules([head], logits, targets, np.arange(600) % 2)
    assert [fitted_head.rules[1] for [fitted_head] in nested] == [decision_rules.Rule()] * 2


def test_offsets_are_refitted_on_the_rows_with_a_label() -> None:
    logs, target = rows(600)
    head = Head("t", "multi", (Target("q", ("no", "q")),))
    logits, labels = logs[:, :1], (target[:, None] > 0).astype(int)
    fitted, priors = decision_rules.fit_rules(head, logits, labels), decision_rules.class_priors(labels, head)
    known = np.arange(600)[:, None] < 300
    of_half = decision_rules.refit_offsets(fitted, logits[:300], priors, known[:300])
    logits[300:] += 9  # rows of another kind, whose label is unknown
    assert decision_rules.refit_offsets(fitted, logits, priors, known) == of_half
    assert decision_rules.refit_offsets(fitted, logits, priors, ~known) != of_half
