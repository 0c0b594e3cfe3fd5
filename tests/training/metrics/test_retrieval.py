"""Ranks that one can count by hand, and figures against chance."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import retrieval
from training.metrics.retrieval import ranks

OWNER = np.array([0, 0, 1, 1, 2])


def test_ranks_by_hand() -> None:
    similarity = np.array([[0.9, 0.1, 0.8, 0.2, 0.3], [0.5, 0.6, 0.4, 0.1, 0.9], [0.1, 0.2, 0.3, 0.4, 0.0]])
    ranked = ranks(similarity, OWNER)
    assert ranked.image.tolist() == [1, 4, 5]  # its best own caption against those of others
    assert ranked.text.tolist() == [1, 3, 2, 3, 3]


def test_a_constant_similarity_ranks_last() -> None:
    ranked = ranks(np.zeros((3, 5)), OWNER)
    assert ranked.image.tolist() == [4, 4, 5]
    assert ranked.text.tolist() == [3] * 5
    assert not ranked.nearer.any()


def test_perfect_and_random() -> None:
    count = 60
    owner = np.repeat(np.arange(count), 5)
    perfect = retrieval.metrics(ranks((owner[None] == np.arange(count)[:, None]).astype(float), owner), resamples=50)
    assert perfect["image_to_text_r1"] == perfect["text_to_image_r1_low"] == perfect["matching_accuracy"] == 100
    assert perfect["image_to_text_median_rank"] == 1
    drawn = [ranks(np.random.default_rng(seed).random((count, 5 * count)), owner) for seed in range(20)]
    chance = retrieval.metrics(drawn[0], resamples=10)
    for name in ("image_to_text_r10", "text_to_image_r10"):
        mean = np.mean([retrieval.recalls(ranked)[name] for ranked in drawn])
        assert mean == pytest.approx(chance[f"{name}_chance"], abs=3)
    median = np.mean([np.median(ranked.image) for ranked in drawn])
    assert median == pytest.approx(chance["image_to_text_median_rank_chance"], rel=0.15)


def test_the_interval_holds_the_metric_and_captions_of_a_picture_stay_together() -> None:
    owner = np.repeat(np.arange(100), 5)
    similarity = np.random.default_rng(1).random((100, 500)) + 0.3 * (owner[None] == np.arange(100)[:, None])
    metrics = retrieval.metrics(ranks(similarity, owner))
    for name in [name for name in metrics if f"{name}_low" in metrics]:
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"], name


def test_a_difference_has_a_paired_interval() -> None:
    owner = np.repeat(np.arange(100), 5)
    own = (owner[None] == np.arange(100)[:, None]).astype(float)
    noise = np.random.default_rng(2).random((100, 500))
    good, bad = ranks(noise + 0.6 * own, owner), ranks(noise + 0.1 * own, owner)
    gain = retrieval.difference(good, bad)
    assert gain["image_to_text_r10_low"] > 0
    assert retrieval.difference(good, good)["text_to_image_r1"] == 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        ranks(np.zeros((3, 4)), np.array([0, 0, 1, 1]))
