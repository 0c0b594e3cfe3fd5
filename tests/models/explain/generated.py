"""Analyses of every kind, for tests that must hold for all of them: missing sides, failed parts, odd captions."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from hypothesis import strategies as st

from models.analysis import (
    Analysis,
    Attention,
    Bands,
    Box,
    Caption,
    Emotion,
    Emotions,
    Evidence,
    Explanation,
    Expression,
    Face,
    FaceEmotions,
    Harm,
    ImageInfo,
    Label,
    Lens,
    ProfileInfo,
    RegionEffect,
    Shapley,
    Stage,
    TextEmotions,
    Verdict,
    WordEffect,
)
from models.reading import Reading, Respelled

EMOTIONS = ("anger", "joy", "amusement", "neutral", "fear", "gratitude")
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

share = st.floats(0, 1)
move = st.floats(-6, 6) | st.floats(-0.2, 0.2)
captions = st.text(max_size=60) | st.lists(
    st.sampled_from(["they", "hate", "1488", "“soup”", "3.5%", "<b>", "ненависть", "x" * 50, "4:59", "**no**", "٣"]),
    max_size=9,
).map("\n".join)


READINGS = st.none() | st.builds(
    Reading,
    text=st.just("kill 1488 rats"),
    decided=st.booleans(),
    probability=share,
    probability_as_written=share,
    changes=st.lists(
        st.builds(Respelled, text=st.sampled_from(["kill", "all 14", "immigrants"]), start=st.just(0), end=st.just(1)),
        min_size=1,
        max_size=5,
        unique_by=lambda change: change.text,
    ).map(tuple),
)


def verdict(logit: float, review_from: float = 0.35, hateful_from: float = 0.7) -> Verdict:
    probability = 1 / (1 + math.exp(-logit))
    label: Label = "needs_review"
    if probability < review_from:
        label = "not_hateful"
    elif probability >= hateful_from:
        label = "hateful"
    return Verdict(label, probability, logit, Bands(review_from, hateful_from), "an attack on people for what they are")


@st.composite
def analyses(draw: st.DrawFn) -> Analysis:
    text = draw(captions).strip()
    pictured = draw(st.booleans()) or not text
    image = ImageInfo(draw(st.integers(1, 900)), draw(st.integers(1, 900)), "PNG", "00") if pictured else None
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    source = draw(st.sampled_from(["override", "ocr"])) if text else "none"
    caption = Caption(text, source, uncertain=tuple(spans[: draw(st.integers(0, 3))]) if source == "ocr" else ())
    low, high = sorted([draw(share), draw(share)])
    judged = replace(verdict(draw(st.floats(-8, 8)), low, high), reading=draw(READINGS) if text else None)
    return Analysis(
        profile=ProfileInfo("mini", "cpu", "float32", 1, {}),
        image=image,
        caption=caption,
        verdict=judged,
        harm=Harm(draw(share), "as annotated"),
        emotions=Emotions(_text_emotions(draw, bool(text)), _faces(draw, pictured)),
        attention=Attention(draw(st.sampled_from(["ok", "failed"]))),
        evidence=_evidence(draw, judged.logit, caption, image, spans),
        explanation=Explanation(),
        lenses={"humour": Lens(draw(st.sampled_from(["ok", "failed"])))},
        stages=(Stage("ocr", 3.21, draw(st.sampled_from(["ok", "failed"]))),),
    )


def _text_emotions(draw: st.DrawFn, worded: bool) -> TextEmotions:
    status = draw(st.sampled_from(["ok", "off", "failed"])) if worded else "no_text"
    if status != "ok":
        return TextEmotions(status, detail="it broke after 17 steps")
    scores = [Emotion(label, draw(share), 0.3, draw(st.booleans())) for label in EMOTIONS]
    return TextEmotions("ok", tuple(sorted(scores, key=lambda score: not score.present)))


def _faces(draw: st.DrawFn, pictured: bool) -> FaceEmotions:
    status = draw(st.sampled_from(["ok", "no_face", "off", "failed"])) if pictured else "no_image"
    if status != "ok":
        return FaceEmotions(status, detail="it broke after 17 steps")
    faces = [
        Face((0.0, 0.0, 9.0, 9.0), 0.87, tuple(Expression(label, draw(share)) for label in draw(st.just(EXPRESSIONS))))
        for _ in range(draw(st.integers(0, 3)))
    ]
    return FaceEmotions("ok", tuple(faces))


def _evidence(
    draw: st.DrawFn, logit: float, caption: Caption, image: ImageInfo | None, spans: list[tuple[int, int]]
) -> Evidence:
    status = draw(st.sampled_from(["ok", "ok", "off", "failed"]))
    if status != "ok":
        return Evidence(status, detail="it broke after 17 steps")
    moved_by_image = draw(move) if image else 0.0
    moved_by_text = draw(move) if spans else 0.0
    shapley = Shapley(logit - moved_by_image - moved_by_text, moved_by_image, moved_by_text, draw(move), logit)
    words = tuple(WordEffect(caption.text[start:end], start, end, draw(move)) for start, end in spans)
    regions = tuple(RegionEffect(box, draw(move)) for box in cells(image)) if image else ()
    return Evidence("ok", shapley, words, regions)


def cells(image: ImageInfo, grid: int = 4) -> list[Box]:
    wide, high = image.width / grid, image.height / grid
    return [
        (column * wide, row * high, (column + 1) * wide, (row + 1) * high)
        for row in range(grid)
        for column in range(grid)
    ]
