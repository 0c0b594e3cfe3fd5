"""Which cautions come with which meme."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.analysis import Analysis, Bands, Caption, Emotion, Emotions, Evidence, FaceEmotions, ImageInfo, TextEmotions
from models.explain.cautions import cautions, closing, distance_shown, nearest_band
from models.explain.facts import Ledger
from models.explain.narrative import write
from tests.models.explain.test_narrative import meme


def all_cautions(analysis: Analysis) -> str:
    return "\n".join(cautions(analysis, Ledger()))


WHY = "The words look Turkish, a language that this model was not measured on: a person should read them."


def test_a_language_that_was_not_measured() -> None:
    analysis = meme(logit=0.85)  # next to a threshold, which decides nothing here
    assert "close to a threshold" in all_cautions(analysis)
    gated = replace(analysis.verdict, label="needs_review", meaning=WHY, decided_by="language")
    turkish = Caption("bugün hava çok güzel", "override", language="tr")
    analysis = replace(analysis, verdict=gated, caption=turkish)
    assert WHY in all_cautions(analysis)
    assert "close to a threshold" not in all_cautions(analysis)
    assert "not measured on the language" in closing(analysis)
    assert "not measured on the language" in write(analysis).text.split(". ")[0]


@pytest.mark.parametrize(("language", "name"), [("de", "German"), ("en", ""), ("und", ""), (None, "")])
def test_parts_that_learned_from_english_say_so(language: str | None, name: str) -> None:
    analysis = replace(meme(), caption=Caption("they eat rats", "override", language=language))
    said = all_cautions(analysis)
    assert ("learned from English: on words that look" in said) is bool(name)
    assert name in said


@pytest.mark.parametrize(
    ("languages", "end"), [(("en",), "it learned from English only."), (("en", "de"), "it learned most from English.")]
)
def test_what_the_model_learned_from(languages: tuple[str, ...], end: str) -> None:
    analysis = meme()
    assert closing(replace(analysis, profile=replace(analysis.profile, languages=languages))).endswith(end)


def test_near_a_threshold() -> None:
    assert "close to a threshold (0.02 away)" in all_cautions(meme(logit=-0.55))
    assert "close to a threshold: " in all_cautions(meme(logit=0.848))
    assert "threshold" not in all_cautions(meme(logit=3.0))


@pytest.mark.parametrize(("low", "high", "expected"), [(0.3, 0.9, "hateful_from"), (0.79, 0.95, "review_from")])
def test_the_nearest_band(low: float, high: float, expected: str) -> None:
    verdict = replace(meme().verdict, bands=Bands(low, high))
    name, at, distance = nearest_band(verdict)
    assert (name, at) == (expected, getattr(verdict.bands, expected))
    assert distance == pytest.approx(abs(verdict.probability - at))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('she said "go home" and left', True),
        ("‘go home’ they said", True),
        ("don't y'all cry", False),
        ("plain", False),
    ],
)
def test_quotations(text: str, expected: bool) -> None:
    assert ("hold a quotation" in all_cautions(replace(meme(), caption=Caption(text, "override")))) is expected


def test_irony_is_said_in_the_way_that_the_words_sound() -> None:
    analysis = meme()
    assert "often read literally" in all_cautions(analysis)
    playful = TextEmotions("ok", (Emotion("amusement", 0.8, 0.3, True),))
    assert "sound playful" in all_cautions(replace(analysis, emotions=replace(analysis.emotions, text=playful)))
    assert "literally" not in all_cautions(replace(analysis, caption=Caption()))


def test_only_what_was_measured_is_warned_of() -> None:
    analysis = meme()
    assert "what the person feels" in all_cautions(analysis)
    assert "what moves this model" in all_cautions(analysis)
    bare = replace(
        analysis, evidence=Evidence("off"), emotions=Emotions(analysis.emotions.text, FaceEmotions("no_face"))
    )
    assert "what the person feels" not in all_cautions(bare)
    assert "what moves this model" not in all_cautions(bare)
    assert "misread" not in all_cautions(analysis)
    assert "misread" in all_cautions(replace(analysis, caption=replace(analysis.caption, uncertain=((0, 4),))))


@pytest.mark.parametrize(
    ("text", "expected"), [("😀 😡 1488", True), ("…", True), ("a 😀", False), ("我", False), ("", False)]
)
def test_words_without_a_letter(text: str, expected: bool) -> None:
    analysis = replace(meme(), caption=Caption(text, "override" if text else "none"))
    assert ("not one letter" in all_cautions(analysis)) is expected
    assert ("signs without letters" in closing(analysis)) is expected


@pytest.mark.parametrize(("size", "expected"), [((1, 1), True), ((3000, 20), True), ((48, 48), False)])
def test_a_picture_with_next_to_nothing_in_it(size: tuple[int, int], expected: bool) -> None:
    analysis = replace(meme(), image=ImageInfo(*size, "PNG", "00"))
    assert ("very small" in all_cautions(analysis)) is expected
    assert "very small" not in all_cautions(replace(meme(), image=None))


def test_what_is_read_of_a_distance_adds_up() -> None:
    verdict = replace(meme().verdict, probability=0.4549, bands=Bands(0.447, 0.758))
    assert distance_shown(verdict, "review_from") == 0.0  # 0.45 and 0.45
    assert distance_shown(verdict, "hateful_from") == 0.31  # 0.45 and 0.76
