"""What is said above the emotions in the words."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from models.analysis import Emotion, TextEmotions
from tests import wordings


@pytest.mark.parametrize(
    ("present", "summary"),
    [
        ((), wordings.NO_EMOTION_IS_CLEARLY_THERE),
        (("neutral",), wordings.THEY_READ_AS_NEUTRAL_NO_EMOTION_IS),
        (("neutral", "anger"), wordings.CLEARLY_THERE_ANGER),
    ],
)
def test_neutral_is_no_emotion_and_is_told(present: tuple[str, ...], summary: str) -> None:
    def script(emotions: object) -> None:
        from components.analyze import emotions as drawn

        drawn.draw_text(emotions)

    scores = tuple(
        Emotion(label, 0.8 if label in present else 0.1, 0.3, label in present) for label in ("neutral", "anger")
    )
    at = AppTest.from_function(script, args=(TextEmotions("ok", scores),)).run()
    assert not at.exception
    assert summary in [element.value for element in at.markdown]
