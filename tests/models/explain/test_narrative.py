"""The explanation of all kinds of analyses holds only measured numbers, and its slots say what they should."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from models.analysis import (
    Analysis,
    Attention,
    Caption,
    Emotion,
    Emotions,
    Evidence,
    Explanation,
    Expression,
    Face,
    FaceEmotions,
    Fact,
    Harm,
    ImageInfo,
    ProfileInfo,
    RegionEffect,
    Shapley,
    Stage,
    TextEmotions,
    WordEffect,
    WordWeight,
)
from models.explain.facts import Ledger, joined, shortened
from models.explain.narrative import place, write
from models.reading import Reading, Respelled
from tests.models.explain.generated import analyses, cells, verdict
from tests.models.explain.measured import assert_measured

SQUARE = ImageInfo(400, 400, "PNG", None)
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def meme(logit: float = 1.45, text: str = "they eat rats") -> Analysis:
    """A meme of which everything was measured: the words carry it, and one region pulls the other way."""
    effects = {"they": 0.9, "eat": -0.3, "rats": 2.1}
    words = [
        WordEffect(word, text.find(word), text.find(word) + len(word), effects.get(word, 0)) for word in text.split()
    ]
    regions = [RegionEffect(box, {0: -0.8, 15: 0.05}.get(place, 0.0)) for place, box in enumerate(cells(SQUARE))]
    return Analysis(
        profile=ProfileInfo("mini", "cpu", "float32", 1, {}),
        image=SQUARE,
        caption=Caption(text, "ocr"),
        verdict=verdict(logit),
        harm=Harm(0.9, "as annotated"),
        emotions=Emotions(
            TextEmotions("ok", (Emotion("disgust", 0.62, 0.3, True), Emotion("joy", 0.1, 0.3, False))),
            FaceEmotions("ok", (Face((0, 0, 9, 9), 0.9, (Expression("happy", 0.83), Expression("sad", 0.17))),)),
        ),
        attention=Attention("ok"),
        evidence=Evidence("ok", Shapley(-1.5, 0.2, 2.75, 0.4, logit), tuple(words), tuple(regions)),
        explanation=Explanation(),
        lenses={},
        stages=(),
    )


@often
@given(analyses())
def test_every_number_is_measured(analysis: Analysis) -> None:
    explanation = write(analysis)
    assert_measured(analysis, explanation)
    assert explanation.text
    assert explanation.cautions


@often
@given(analyses())
def test_the_text_is_plain_sentences(analysis: Analysis) -> None:
    text = write(analysis).text
    assert "  " not in text
    assert "17 steps" not in text  # what went wrong inside is not the reader's business
    for paragraph in text.split("\n"):
        assert paragraph[0].isupper() or paragraph[0].isdigit()
        assert paragraph.endswith(".")


@often
@given(analyses(), analyses())
def test_different_memes_give_different_texts(first: Analysis, second: Analysis) -> None:
    assume(abs(first.verdict.probability - second.verdict.probability) > 0.01)
    assert write(first).text != write(second).text


@often
@given(analyses())
def test_attention_is_no_reason(analysis: Analysis) -> None:
    looked = Attention(analysis.attention.status, (WordWeight("they", 0, 4, 0.77),), ((0.77,) * 7,) * 7)
    assert write(replace(analysis, attention=looked)) == write(analysis)


def test_the_checker_finds_what_was_not_measured() -> None:
    analysis = meme()
    explanation = write(analysis)
    added = replace(explanation, text=explanation.text + " It is 0.99 sure.")
    spelled = replace(explanation, text=explanation.text + " It has two sides.")
    wrong = replace(explanation, facts=(*explanation.facts[1:], Fact("verdict.probability", 0.5)))
    unused = replace(explanation, facts=(*explanation.facts, Fact("emotions.text.scores[1].probability", 0.1)))
    missing = replace(explanation, facts=explanation.facts[1:])
    for broken in (added, spelled, wrong, unused, missing):
        with pytest.raises(AssertionError):
            assert_measured(analysis, broken)


def test_a_whole_explanation() -> None:
    assert write(meme()).text.split("\n") == [
        "This is read as hateful. The calibrated probability that it is hateful is 0.81, 0.11 above the threshold for "
        "hateful, 0.70.",
        "The words carried most weight: they moved the logit by +2.75, the picture by +0.20, from -1.50 without either "
        "to 1.45 with both (plus is toward hateful). What they say only together is worth +0.40, shared equally "
        "between them in these figures.",
        "The word that pushed most toward hateful is “rats”: without it the probability goes from 0.81 to 0.34. "
        "Without “they” the probability goes from 0.81 to 0.63. The word that pulled most away from hateful is “eat”: "
        "without it the probability goes from 0.81 to 0.85. A part in the upper left of the picture pulls away from "
        "hateful: with it covered the probability goes from 0.81 to 0.90.",
        "The words carry disgust (0.62). 1 face was found; it looks happy (0.83).",
        "The model cannot know who is speaking and to whom, whether irony is meant or what came before, and it learned "
        "from English only.",
    ]


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (
            True,
            "The caption is read with other spellings: “kill”, “immigrants”, “are” and others. As it is written, the "
            "probability would be 0.12.",
        ),
        (
            False,
            "The caption may also be meant with other spellings: “kill”, “immigrants”, “are” and others. So read, the "
            "probability would be 0.34; the words as they are written decide.",
        ),
    ],
)
def test_the_reading_that_decided_is_told(decided: bool, sentence: str) -> None:
    changes = tuple(Respelled(text, 0, 1) for text in ("kill", "immigrants", "are", "trash"))
    reading = Reading("kill immigrants are trash", decided, 0.34, 0.12, changes)
    analysis = replace(meme(), verdict=replace(verdict(1.45), reading=reading))
    explanation = write(analysis)
    assert explanation.text.split("\n")[0].endswith(f", 0.70. {sentence}")
    assert any("not as they are written" in caution for caution in explanation.cautions) is decided
    assert_measured(analysis, explanation)


@pytest.mark.parametrize(
    ("logit", "said"),
    [
        (-3.0, "is hateful is 0.05, 0.30 below the threshold for a human look, 0.35."),
        (-0.55, "is hateful is 0.37, only 0.02 above the threshold for a human look, 0.35."),
        (0.8, "is hateful is 0.69, only 0.01 below the threshold for hateful, 0.70."),
        (0.848, "hateful is 0.70, right at the threshold for hateful, 0.70."),
    ],
)
def test_the_distance_is_told_to_the_nearest_threshold(logit: float, said: str) -> None:
    assert said in write(meme(logit)).text.split("\n")[0]


@pytest.mark.parametrize(
    ("image", "text", "said"),
    [
        (2.0, 0.3, "The picture carried most weight: it moved the logit by +2.00, the words by +0.30"),
        (1.0, 1.2, "Picture and words pulled the same way"),
        (-1.0, 1.2, "Picture and words pulled apart"),
        (0.02, -0.03, "Neither side moved the score much"),
    ],
)
def test_which_side_carried_it(image: float, text: float, said: str) -> None:
    analysis = meme()
    shapley = Shapley(0.0, image, text, 0.0, image + text)
    explanation = write(replace(analysis, evidence=replace(analysis.evidence, shapley=shapley)))
    assert said in explanation.text
    assert "only together" not in explanation.text


def test_words_alone_and_a_picture_alone() -> None:
    analysis = meme()
    words = replace(analysis, image=None, emotions=replace(analysis.emotions, faces=FaceEmotions("no_image")))
    text = write(words).text
    assert "Only the words could be judged" in text
    assert "There is no picture." in text
    assert "face" not in text
    assert "covered" not in text
    assert any("Only words were given" in caution for caution in write(words).cautions)

    evidence = replace(analysis.evidence, words=())
    emotions = replace(analysis.emotions, text=TextEmotions("no_text"))
    picture = replace(analysis, caption=Caption(), evidence=evidence, emotions=emotions)
    text = write(picture).text
    assert "Only the picture could be judged" in text
    assert "There are no words." in text
    assert any("Only a picture was read" in caution for caution in write(picture).cautions)


def test_an_effect_that_rounding_hides_is_told_on_the_logit() -> None:
    text = write(meme(logit=9.0)).text
    assert "“rats”: without it the probability still rounds to 1.00 (its effect on the logit is +2.10)" in text


def test_small_effects_are_no_reasons() -> None:
    analysis = meme()
    evidence = replace(
        analysis.evidence,
        words=tuple(replace(word, effect=0.05) for word in analysis.evidence.words),
        regions=tuple(replace(region, effect=-0.05) for region in analysis.evidence.regions),
    )
    text = write(replace(analysis, evidence=evidence)).text
    assert "No word, left out by itself, moved the score noticeably." in text
    assert "No part of the picture, covered by itself, moved the score noticeably." in text


def test_a_repeated_word_is_told_once_and_a_chunk_in_the_plural() -> None:
    words = (WordEffect("Rats", 0, 4, 1.0), WordEffect("rats", 5, 9, 1.5), WordEffect("go back home", 10, 22, -2.0))
    analysis = meme()
    text = write(replace(analysis, evidence=replace(analysis.evidence, words=words))).text
    assert text.count("ats”") == 1
    assert "The words that pulled most away from hateful are “go back home”: without them" in text


def test_the_harm_score_speaks_up_only_where_it_differs() -> None:
    analysis = meme()
    assert "harm score" not in write(analysis).text
    assert "The harm score is low at 0.20" in write(replace(analysis, harm=Harm(0.2, ""))).text
    kind = replace(analysis, verdict=verdict(-3.0))
    assert "The harm score says something else: at 0.90" in write(kind).text
    assert "harm score" not in write(replace(kind, harm=Harm(0.2, ""))).text


def test_what_is_missing_or_failed_is_said() -> None:
    analysis = meme()
    caption = replace(analysis.caption, uncertain=((0, 4), (9, 13)))
    emotions = Emotions(TextEmotions("failed", detail="boom"), FaceEmotions("no_face"))
    broken = replace(
        analysis, caption=caption, emotions=emotions, evidence=Evidence("off"), stages=(Stage("ocr", 1.0, "failed"),)
    )
    text = write(broken).text
    assert "No face was found in the picture." in text
    assert "(OCR) was unsure in 2 places." in text
    assert "Failed on this meme: the emotions in the words and reading the words on the picture." in text
    assert "Not looked at: what moved the score." in text
    assert "boom" not in text


def test_faces_and_emotions_are_named_only_when_clear() -> None:
    analysis = meme()
    unclear = Face((0, 0, 9, 9), 0.9, (Expression("fear", 0.31), Expression("surprise", 0.3)))
    faces = FaceEmotions("ok", (*analysis.emotions.faces.faces, unclear, unclear))
    neutral = TextEmotions("ok", (Emotion("neutral", 0.7, 0.4, True), Emotion("joy", 0.1, 0.3, False)))
    text = write(replace(analysis, emotions=Emotions(neutral, faces))).text
    assert "3 faces were found; the largest looks happy (0.83), the next has no clear expression" in text
    assert "afraid being the likeliest (0.31)" in text
    assert "The words read as neutral (0.70)" in text
    nothing = TextEmotions("ok", (Emotion("joy", 0.1, 0.3, False),))
    assert "No emotion is clearly there" in write(replace(analysis, emotions=Emotions(nothing, faces))).text


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0, 0, 100, 100), "in the upper left"),
        ((100, 0, 200, 100), "at the top"),
        ((300, 100, 400, 200), "on the right"),
        ((0, 0, 400, 400), "in the centre"),
        ((300, 300, 400, 400), "in the lower right"),
        ((200, 300, 300, 400), "at the bottom"),
    ],
)
def test_places_in_words(box: tuple[float, float, float, float], said: str) -> None:
    assert place(box, SQUARE) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\t c", "a b c"),
        ('“quoted" „words”', "'quoted' 'words'"),
        ("\u202eevil\u2066", "evil"),
        ("x" * 40, "x" * 31 + "…"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("\u200b\n", ""),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्षमा " * 8, ("क्षमा " * 5).strip() + "…"),
    ],
)
def test_captions_are_quoted_safely(text: str, shown: str) -> None:
    assert shortened(text) == shown


def test_a_quoted_word_from_right_to_left_does_not_rearrange_the_sentence() -> None:
    assert Ledger().quote("a", "سلام") == "“\u2068سلام\u2069”"


def test_the_ledger_prints_what_it_keeps() -> None:
    ledger = Ledger()
    assert [ledger.plain("a", -0.001), ledger.signed("b", 0.004), ledger.signed("c", 1.205)] == [
        "0.00",
        "0.00",
        "+1.21",
    ]
    assert ledger.quote("word.text", "at 4:59 or 3.5%") == "“at 4:59 or 3.5%”"
    assert [(fact.name, fact.value) for fact in ledger.facts[3:]] == [
        ("word.text.number[0]", 4.0),
        ("word.text.number[1]", 59.0),
        ("word.text.number[2]", 3.5),
    ]
    assert [joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
