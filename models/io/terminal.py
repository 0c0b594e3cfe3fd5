"""The analysis as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from models.analysis import Analysis, Face, Label, Status

WIDTH = 88  # columns
MAX_EMOTIONS, MAX_EXPRESSIONS, MAX_WORDS = 5, 3, 8
NAMES: dict[Label, str] = {"hateful": "Hateful", "needs_review": "Needs a human look", "not_hateful": "Not hateful"}
SOURCES = {"ocr": "read from the picture", "override": "given by you", "none": "none"}
ABSENT: dict[Status, str] = {
    "no_text": "there are no words",
    "no_image": "there is no picture",
    "no_face": "no face was found",
    "off": "not asked for",
}


def describe(analysis: Analysis) -> Iterator[str]:
    """The analysis for people, a line at a time."""
    verdict, bands = analysis.verdict, analysis.verdict.bands
    yield f"{NAMES[verdict.label]}, probability {verdict.probability:.2f}"
    look = f"a human look from {bands.review_from:.2f}, " if bands.review_from < bands.hateful_from else ""
    yield f"  {look}hateful from {bands.hateful_from:.2f}"
    yield from wrapped(verdict.meaning)
    if analysis.harm is not None:
        yield f"  harmful, as HarMeme's annotators would judge it: {analysis.harm.probability:.2f}"
    yield from section(f"Words ({SOURCES[analysis.caption.source]})")
    for line in analysis.caption.text.splitlines():
        yield from wrapped(line)
    if analysis.explanation.text:
        yield from section("Why")
        for paragraph in analysis.explanation.text.splitlines():
            yield from wrapped(paragraph)
    yield from moved_by_words(analysis)
    yield from emotions(analysis)
    yield from faces(analysis)
    if analysis.explanation.cautions:
        yield from section("Keep in mind")
        for caution in analysis.explanation.cautions:
            yield from wrapped(caution, "- ")
    yield from section("Times in milliseconds")
    took = ", ".join(f"{stage.name} {stage.ms or 0.0:.0f}" for stage in analysis.stages)
    total = sum(stage.ms or 0.0 for stage in analysis.stages)
    yield from wrapped(f"{took}; together {total:.0f} ({analysis.profile.name} on {analysis.profile.device})")


def moved_by_words(analysis: Analysis) -> Iterator[str]:
    """The words whose removal changes the logit most."""
    evidence = analysis.evidence
    if evidence.status == "off":
        return
    strongest = sorted(evidence.words, key=lambda word: -abs(word.effect))[:MAX_WORDS]
    yield from section("Words that moved it (logits, plus is toward hateful)")
    for word in strongest:
        yield f"  {word.effect:+.2f}  {printable(word.text)}"
    if not strongest:
        yield from wrapped(evidence.detail or ABSENT.get(evidence.status, "none"))


def emotions(analysis: Analysis) -> Iterator[str]:
    """The emotions that are present, else a sentence."""
    read = analysis.emotions.text
    yield from section("Emotions in the words")
    present = [score for score in read.scores if score.present][:MAX_EMOTIONS]
    for score in present:
        yield f"  {score.probability:.2f}  {score.label}"
    if not present:
        clear = "none is clearly there" if read.status == "ok" else ABSENT.get(read.status, "")
        yield from wrapped(read.detail or clear)


def faces(analysis: Analysis) -> Iterator[str]:
    """Each face with its likeliest expressions and its box."""
    read = analysis.emotions.faces
    yield from section("Faces")
    for number, face in enumerate(read.faces, 1):
        yield f"  {number}: {_looks(face)}, at {', '.join(f'{edge:.0f}' for edge in face.box)}"
    if not read.faces:
        yield from wrapped(read.detail or ABSENT.get(read.status, ""))


def _looks(face: Face) -> str:
    return ", ".join(
        f"{expression.label} {expression.probability:.2f}" for expression in face.expressions[:MAX_EXPRESSIONS]
    )


def section(title: str) -> Iterator[str]:
    """A heading with an empty line above."""
    yield ""
    yield title


def wrapped(text: str, mark: str = "") -> list[str]:
    """One paragraph, indented, in lines of at most `WIDTH` columns where its words allow it."""
    indent = "  " + " " * len(mark)
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent="  " + mark, subsequent_indent=indent, break_long_words=False
    )


def printable(text: str) -> str:
    """On one line, without control and direction characters, which a terminal would obey."""
    characters = (" " if character.isspace() else character for character in text)
    return "".join(
        character for character in characters if character.isprintable() or character == "\N{ZERO WIDTH JOINER}"
    )
