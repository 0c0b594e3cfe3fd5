"""Model cards from templates."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from training.export.cards import cell, render_card

METRICS = {"recall": 0.5, "recall_low": 0.41, "recall_high": 0.6, "recall_chance": 0.1}


def test_a_cell_shows_the_value_with_its_interval() -> None:
    assert cell(METRICS, "recall", 2) == "0.50 (0.41–0.60)"
    assert cell(METRICS, "precision") == ""


def test_a_card_has_a_row_for_each_metric_that_was_measured() -> None:
    names = {"image_to_text_median_rank": 3.0, "text_to_image_median_rank": 4.0}
    joint = {f"image_to_text_r5{key.removeprefix('recall')}": 100 * value for key, value in METRICS.items()}
    joint |= names | {f"{name}_chance": 50.0 for name in names}
    card = render_card("joint_words", joint=joint, baseline={}, gain={}, verdict="It does not.")
    assert card.strip().startswith("# joint_words\n\nThe words' side")
    assert "| picture to caption, R@5 | 50.0 (41.0–60.0) |  |  | 10.0 |\n\nIt does not.\n" in card
    assert "R@1 " not in card


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="verdict"):
        render_card("joint_words", joint=METRICS, baseline={}, gain={})
