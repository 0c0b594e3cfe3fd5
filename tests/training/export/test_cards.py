"""Model cards from templates."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from training.export.cards import render_card

METRICS = {"recall": 0.5, "recall_low": 0.41, "recall_high": 0.6, "recall_chance": 0.1}


def joint_card(low: float, high: float) -> str:
    """The card of `joint_words` for a difference in R@1 with this interval, with R@5 of the joint space alone."""
    names = {"image_to_text_median_rank": 3.0, "text_to_image_median_rank": 4.0}
    joint = {f"image_to_text_r5{key.removeprefix('recall')}": 100 * value for key, value in METRICS.items()}
    joint |= names | {f"{name}_chance": 50.0 for name in names}
    gain = {
        f"{way}_r1{end}": value
        for way in ("image_to_text", "text_to_image")
        for end, value in (("_low", low), ("_high", high))
    }
    return render_card("joint_words", joint=joint, baseline={}, gain=gain)


def test_a_card_has_a_row_for_each_metric_that_was_measured() -> None:
    card = joint_card(1, 2)
    assert card.strip().startswith("# joint_words\n\nThe words' side")
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    assert rows == ["| percent | joint | baseline | joint minus baseline | chance |", rows[-1]]
    assert rows[-1].startswith("| picture to caption, R@5 | 50.0 (41.0–60.0) |") and rows[-1].endswith("| 10.0 |")
    assert f"{rows[-1]}\n\nThe joint space beats the baseline: " in card


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1, 2, "space beats the"), (-2, -1, "space does not beat the"), (-1, 1, "space does not clearly beat the")],
)
def test_the_verdict_follows_the_interval_of_the_difference(low: float, high: float, verdict: str) -> None:
    assert verdict in joint_card(low, high)


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="gain"):
        render_card("joint_words", joint={}, baseline={})
