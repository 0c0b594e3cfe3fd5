"""What is chosen on validation rows, on rows drawn so that the right choice is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.datasets import counterfactuals
from training.engine.linear_branch import LinearBranch
from training.hate.report import (
    FALSE_ALARMS,
    KINDLY,
    MISSED,
    PLAIN_ALARMS,
    Calibration,
    Together,
    calibrate,
    choose_bands,
    choose_threshold,
)

Part = tuple[np.ndarray, np.ndarray]


def drawn(count: int, *, scale: float = 1.0, offset: float = 0.0, seed: int = 0) -> Part:
    """Logits and labels whose true probability is sigmoid(scale * logit + offset)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    return logits, (rng.random(count) < Calibration(scale, offset)(logits)).astype(int)


def test_platt_scaling_is_what_it_says() -> None:
    chances = Calibration(2.0, -1.0)(np.array([0.0, 0.5, 3.0]))
    assert chances.tolist() == pytest.approx([1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-5))])


def test_calibrating_finds_the_scale_of_logits_that_are_too_sure() -> None:
    found = calibrate([drawn(20_000, scale=0.4)])
    assert found.scale == pytest.approx(0.4, abs=0.03)
    assert found.offset == pytest.approx(0, abs=0.06)


def test_a_source_counts_once_however_many_rows_it_has() -> None:
    small, large = drawn(500, scale=2.0), drawn(500, scale=0.3, seed=1)
    tripled = tuple(np.tile(side, 3) for side in large)
    one, other = calibrate([small, large]), calibrate([small, tripled])  # type: ignore[list-item]
    assert one.scale == pytest.approx(other.scale, abs=2e-3)
    assert one.offset == pytest.approx(other.offset, abs=2e-3)


def test_both_labels_count_alike_however_rare_one_is() -> None:
    logits, labels = drawn(4000)
    kept = (labels == 0) | (np.arange(4000) % 8 == 0)  # an eighth of the hateful rows
    whole, rare = calibrate([(logits, labels)]), calibrate([(logits[kept], labels[kept])])
    assert rare.scale == pytest.approx(whole.scale, abs=0.2)
    assert rare.offset == pytest.approx(whole.offset, abs=0.2)


FORMS = counterfactuals.sentences("validation")
IS_KINDLY = np.array([sentence.form in KINDLY for sentence in FORMS])


def parts(kind: float, unkind: float, hateful: np.ndarray, plain: np.ndarray) -> dict[str, Part]:
    """Counterfactuals with logits around `kind` and `unkind`, and sentences with those given."""
    logits = np.where(IS_KINDLY, kind, unkind) + np.random.default_rng(0).normal(0, 1, len(FORMS))
    return {
        "counterfactuals": (logits, np.array([sentence.label for sentence in FORMS])),
        "sentences": (np.concatenate([hateful, plain]), np.repeat([1, 0], [len(hateful), len(plain)])),
    }


@pytest.mark.parametrize(("kind", "plain"), [(0.5, -4.0), (-4.0, 0.5)], ids=["groups decide", "others decide"])
def test_the_bands_bound_false_alarms_and_misses(kind: float, plain: float) -> None:
    chances = Calibration(1.0, 0.0)
    rng = np.random.default_rng(1)
    hateful, others = rng.normal(0.5, 1.5, 5000), rng.normal(plain, 1, 5000)
    some = parts(kind, 3.0, hateful, others)
    bands = choose_bands(some, chances)
    alarms = [
        (chances(logits) >= bands["hateful_from"]).mean() for logits in (some["counterfactuals"][0][IS_KINDLY], others)
    ]
    for share, most in zip(alarms, (FALSE_ALARMS, PLAIN_ALARMS), strict=True):
        assert share <= most + 0.005
    assert any(
        share == pytest.approx(most, abs=0.005)
        for share, most in zip(alarms, (FALSE_ALARMS, PLAIN_ALARMS), strict=True)
    )
    assert (chances(hateful) < bands["review_from"]).mean() == pytest.approx(MISSED, abs=0.01)


@pytest.mark.parametrize(("kind", "unkind"), [(-9.0, 9.0), (9.0, -9.0)])
def test_bands_stay_bands_when_all_is_clear_and_when_nothing_is(kind: float, unkind: float) -> None:
    bands = choose_bands(parts(kind, unkind, np.full(100, unkind), np.full(100, kind)), Calibration(1.0, 0.0))
    assert 0 <= bands["review_from"] <= 0.45
    assert 0.55 <= bands["hateful_from"] <= 0.95


def test_the_threshold_is_the_one_that_parts_the_labels() -> None:
    chances = np.linspace(0.01, 0.99, 99)
    logits = np.log(chances / (1 - chances))
    for edge in (0.3, 0.5, 0.7):
        found = choose_threshold([(logits, (chances >= edge).astype(int))], Calibration(1.0, 0.0))
        assert found == pytest.approx(edge, abs=0.011)


def test_every_source_has_a_say_in_the_threshold() -> None:
    chances = np.linspace(0.01, 0.99, 99)
    logits = np.log(chances / (1 - chances))
    low, high = ((logits, (chances >= edge).astype(int)) for edge in (0.35, 0.65))
    many = tuple(np.tile(side, 50) for side in low)
    between = choose_threshold([many, high], Calibration(1.0, 0.0))  # type: ignore[list-item]
    assert 0.34 <= between <= 0.66
    assert choose_threshold([low, high], Calibration(1.0, 0.0)) == between


@torch.inference_mode()
def test_networks_together_are_the_mean_of_each_and_each_linear_path_adds_its_own_where_its_side_is_there() -> None:
    torch.manual_seed(0)
    settings = CrossAttentionSettings(image_width=6, text_width=4, width=8, heads=2)
    nets = [CrossAttention(settings).eval() for _ in range(3)]
    paths = LinearBranch({"image": 6, "text": 4}, 2)
    for layer in paths.layers.values():
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    text_mask = torch.tensor([[True, True, False], [False, False, False]])  # the second meme has no words,
    image_mask = torch.ones(2, 49).bool()
    image_mask[0] = False  # the first one no picture
    sides = torch.randn(2, 49, 6), image_mask, torch.randn(2, 3, 4), text_mask
    answers = [net(*sides) for net in nets]
    logits, *attention = Together(nets, paths)(*sides)
    means = [(answers[0][place] + answers[1][place] + answers[2][place]) / 3 for place in range(3)]
    torch.testing.assert_close(logits[0], means[0][0] + paths.layers["text"]((sides[2][0, 0] + sides[2][0, 1]) / 2))
    torch.testing.assert_close(logits[1], means[0][1] + paths.layers["image"](sides[0][1].mean(0)))
    for part, mean in zip(attention, means[1:], strict=True):
        torch.testing.assert_close(part, mean)
