"""What is said above the emotions in the words."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from models.analysis import Emotion, TextEmotions


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((), "No emotion is clearly there."),
        (("neutral",), "They read as **neutral**: no emotion is clearly there."),
        (("neutral", "anger"), "Clearly there: **anger**."),
    ],
)
def test_neutral_is_no_emotion_and_is_told(there: tuple[str, ...], told: str) -> None:
    def script(emotions: object) -> None:
        from components.analyze import emotions as drawn

        drawn.draw_text(emotions)

    scores = tuple(
        Emotion(label, 0.8 if label in there else 0.1, 0.3, label in there) for label in ("neutral", "anger")
    )
    at = AppTest.from_function(script, args=(TextEmotions("ok", scores),)).run()
    assert not at.exception
    assert told in [one.value for one in at.markdown]
