"""What is chosen on validation rows, on rows drawn so that the right choice is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.calibration.thresholds import PlattScaling, Source
from training.datasets import counterfactuals
from training.engine.linear_branch import LinearBranch
from training.hate.data import NAMES
from training.hate.report import FALSE_ALARM_RATE, KINDLY, Ensemble, bands, missed

COUNTERFACTUALS = counterfactuals.sentences("validation", names=NAMES)
IS_KINDLY = np.array([sentence.form in KINDLY for sentence in COUNTERFACTUALS])


def sources(kind: float, unkind: float, hateful: np.ndarray, plain: np.ndarray) -> dict[str, Source]:
    """Counterfactuals with logits around `kind` and `unkind`, and sentences with these logits."""
    logits = np.where(IS_KINDLY, kind, unkind) + np.random.default_rng(0).normal(0, 1, len(COUNTERFACTUALS))
    return {
        "counterfactuals": (logits, np.array([sentence.label for sentence in COUNTERFACTUALS])),
        "sentences en": (np.concatenate([hateful, plain]), np.repeat([1, 0], [len(hateful), len(plain)])),
    }


@pytest.mark.parametrize(("kind", "plain"), [(0.5, -4.0), (-4.0, 0.5)], ids=["groups decide", "others decide"])
def test_the_bands_bound_false_alarms(kind: float, plain: float) -> None:
    scaling = PlattScaling(1.0, 0.0)
    rng = np.random.default_rng(1)
    hateful, harmless = rng.normal(0.5, 1.5, 5000), rng.normal(plain, 1, 5000)
    validation = sources(kind, 3.0, hateful, harmless)
    limits = bands(validation, scaling, 0.53)
    kindly = validation["counterfactuals"][0][IS_KINDLY]
    rates = [(scaling(logits) >= limits["hateful_from"]).mean() for logits in (kindly, harmless)]
    assert max(rates) == pytest.approx(FALSE_ALARM_RATE, abs=0.005)
    assert limits["review_from"] == 0.53
    assert missed(validation, scaling, 0.53) == (scaling(hateful) < 0.53).mean()


def test_languages_with_few_rows_count_together() -> None:
    few = {f"sentences {code}": (np.full(10, -3.0), np.zeros(10)) for code in ("fr", "ar", "hi")}
    few["sentences fr"][0][-1] = 2.0  # of ten rows the one loud one would decide
    validation = sources(-3.0, 3.0, np.full(200, 2.0), np.full(200, -3.0)) | few
    assert bands(validation, PlattScaling(1.0, 0.0), 0.5)["hateful_from"] < 0.7


@torch.inference_mode()
def test_an_ensemble_is_the_mean_of_its_networks_and_adds_a_linear_branch_where_its_modality_is_present() -> None:
    torch.manual_seed(0)
    settings = CrossAttentionSettings(image_width=6, text_width=4, width=8, heads=2)
    nets = [CrossAttention(settings).eval() for _ in range(3)]
    branch = LinearBranch({"image": 6, "text": 4}, 2)
    for layer in branch.layers.values():
        nn.init.normal_(layer.weight)  # type: ignore[arg-type]
        nn.init.normal_(layer.bias)  # type: ignore[arg-type]
    text_mask = torch.tensor([[True, True, False], [False, False, False]])  # the second meme has no text,
    image_mask = torch.ones(2, 49).bool()
    image_mask[0] = False  # the first one no picture
    image, text = torch.randn(2, 49, 6), torch.randn(2, 3, 4)
    logits, *attention = Ensemble(nets, branch)(image, image_mask, text, text_mask)
    outputs = [net(image, image_mask, text, text_mask) for net in nets]
    means = [(first + second + third) / 3 for first, second, third in zip(*outputs, strict=True)]
    torch.testing.assert_close(logits[0], means[0][0] + branch.layers["text"]((text[0, 0] + text[0, 1]) / 2))
    torch.testing.assert_close(logits[1], means[0][1] + branch.layers["image"](image[1].mean(0)))
    for actual, mean in zip(attention, means[1:], strict=True):
        torch.testing.assert_close(actual, mean)
