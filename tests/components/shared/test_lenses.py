"""The lens of groups on the page Meme: its longest bars, and how few sentences some groups were learned from."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from components.shared import lenses
from models.analysis import Emotion, Lens
from models.errors import BadWeights
from tests import wordings

SCORES = tuple(Emotion(f"label {number}", 0.9 - number / 10, 0.65, number < 3) for number in range(9))


def test_of_many_labels_the_likeliest_and_all_present_are_drawn() -> None:
    assert lenses.shortened(SCORES) == list(SCORES[: lenses.SHORTEST])
    many = [Emotion("label", 0.9, 0.5, True)] * 7
    assert lenses.shortened([*many, *SCORES]) == [*many, *SCORES[:3]]


def test_groups_that_few_sentences_taught_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"hate_targets": {"women": 2500, "roma": 53, "hindus_sikhs": 12}, "templates": {"roma": 470}}
    monkeypatch.setattr(lenses, "rows_learned_from", lambda _: counts)
    assert lenses.few_rows() == wordings.HINDUS_AND_SIKHS_12_AND_0_ROMA_53_AND_470
    monkeypatch.setattr(lenses, "rows_learned_from", lambda _: {})
    assert lenses.few_rows() == ""

    def fails(_: object) -> dict:
        raise BadWeights("weights/hate_targets is missing.")

    monkeypatch.setattr(lenses, "rows_learned_from", fails)
    assert lenses.few_rows() == ""


def test_a_group_is_said_to_be_spoken_of_kindly_or_not() -> None:
    def script(read: object) -> None:
        from components.shared import lenses

        lenses.draw(read)

    read = {"group": Lens("ok", (Emotion("roma", 0.9, 0.4, True),)), "kind": Lens("off", detail="Not now.")}
    at = AppTest.from_function(script, args=(read,)).run()
    assert not at.exception
    assert wordings.WHO_IS_SPOKEN_OF in [element.value for element in at.subheader]
    assert any(wordings.KINDLY_OR_NOT in element.value for element in at.caption)
    assert "Not now." in [element.value for element in at.caption]
