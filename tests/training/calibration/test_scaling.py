"""Scaling on rows drawn so that the right numbers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.calibration.scaling import PlattScaling, Source, fit_platt, fit_temperature


def draw(count: int, *, scale: float = 1.0, offset: float = 0.0, seed: int = 0) -> Source:
    """Logits and labels whose true probability is sigmoid(scale * logit + offset)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    return logits, (rng.random(count) < PlattScaling(scale, offset)(logits)).astype(int)


def test_platt_scaling_is_the_sigmoid_of_a_line() -> None:
    probs = PlattScaling(2.0, -1.0)(np.array([0.0, 0.5, 3.0]))
    assert probs.tolist() == pytest.approx([1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-5))])


def test_fitting_finds_the_scale_of_overconfident_logits() -> None:
    scaling = fit_platt([draw(20_000, scale=0.4)])
    assert scaling.scale == pytest.approx(0.4, abs=0.03)
    assert scaling.offset == pytest.approx(0, abs=0.06)


def test_a_source_counts_once_however_many_rows_it_has() -> None:
    small, large = draw(500, scale=2.0), draw(500, scale=0.3, seed=1)
    tripled = (np.tile(large[0], 3), np.tile(large[1], 3))
    once, thrice = fit_platt([small, large]), fit_platt([small, tripled])
    assert once.scale == pytest.approx(thrice.scale, abs=2e-3)
    assert once.offset == pytest.approx(thrice.offset, abs=2e-3)


def test_both_labels_count_the_same_however_rare_one_is() -> None:
    logits, labels = draw(4000)
    rows = (labels == 0) | (np.arange(4000) % 8 == 0)  # an eighth of the hateful rows
    full, rare = fit_platt([(logits, labels)]), fit_platt([(logits[rows], labels[rows])])
    assert rare.scale == pytest.approx(full.scale, abs=0.2)
    assert rare.offset == pytest.approx(full.offset, abs=0.2)


def test_the_temperature_corrects_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 7))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y_true = np.array([rng.choice(7, p=row) for row in probs])
    assert fit_temperature(logits * 2.5, y_true) == pytest.approx(2.5, rel=0.1)
