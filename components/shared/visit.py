"""What one visitor is looking at, and its analysis. Both are in `st.session_state` and nowhere else.

Each picture is read once and each caption analyzed once. A line shows each stage while it runs, and a table shows afterwards
how long each took.

Results are not in `st.cache_data`, which every visitor shares: a shared cache would keep captions and pictures after the
visit has ended, and its timing would tell one visitor what another has asked. Within a visit the last few results are kept,
so that going back to an earlier caption costs nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import streamlit as st

from models.analysis import Analysis, Caption, Meme, ProfileInfo, Stage
from models.errors import PartUnavailable
from models.io import captions
from models.io.images import IN_FLIGHT, area

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_status_container import StatusContainer

    from models.analyzer import Analyzer
    from models.io.images import Picture

MAX_RESULTS = 6
_KEY = "visit"
OnStage = Callable[[Stage], None]
LABELS = {
    "ocr": "Reading the words off the picture",
    "picture": "Seeing the picture",
    "words": "Understanding the words",
    "verdict": "Judging both together",
    "text emotions": "Emotions in the words",
    "lenses": "Looking through other lenses",
    "faces": "Faces and their expressions",
    "attention": "Where the model looks",
    "evidence": "What moved the score",
    "explanation": "Writing the explanation",
}


@dataclass(frozen=True)
class Reading:
    """What the OCR read: the caption, the stage with its time, and a sentence where it could not run."""

    caption: Caption
    stage: Stage
    problem: str = ""


@dataclass
class Visit:
    """One visitor's meme. `override` is None while the OCR's words count; an empty one means "no words".

    `meaning` says what a sample's words mean; `problem` what was wrong with the last input, `kept_words` are the words
    that came with it; `number` counts memes, so that each has widgets of its own.
    """

    picture: Picture | None = None
    override: str | None = None
    alt: str = ""
    meaning: str = ""
    reading: Reading | None = None
    results: OrderedDict[Hashable, Analysis] = field(default_factory=OrderedDict)
    problem: str = ""
    kept_words: str | None = None
    number: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is no meme yet."""
        return self.picture is None and self.override is None

    @property
    def words(self) -> str:
        """The words in the editable box."""
        if self.override is not None:
            return self.override
        return self.reading.caption.text if self.reading else ""

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that identify this meme, for file names; they reveal nothing about it."""
        source = self.picture.sha256 if self.picture else hashlib.sha256(self.words.encode()).hexdigest()
        return source[:8]

    def take(self, picture: Picture | None, words: str | None, alt: str = "", meaning: str = "") -> None:
        """Look at another meme and forget everything about the last one."""
        self.picture, self.override, self.alt, self.meaning = picture, words, alt, meaning
        self.reading, self.problem, self.kept_words = None, "", None
        self.results.clear()
        self.number += 1

    def keep(self, key: Hashable, analysis: Analysis) -> None:
        """Keep a result of this meme; only the last `MAX_RESULTS` stay."""
        self.results[key] = analysis
        self.results.move_to_end(key)
        while len(self.results) > MAX_RESULTS:
            self.results.popitem(last=False)


def current() -> Visit:
    """The visit of the current visitor."""
    visit: Visit = st.session_state.setdefault(_KEY, Visit())
    return visit


def read(visit: Visit, analyzer: Analyzer, on_stage: OnStage) -> Caption:
    """The meme's caption. The OCR runs once for each picture, and not at all where the user gave the words."""
    if visit.override is not None:
        return captions.from_override(visit.override) if visit.override.strip() else Caption()
    if visit.picture is None:
        return Caption()
    if visit.reading is None:
        on_stage(Stage("ocr"))
        start, problem = time.perf_counter(), ""
        try:
            with IN_FLIGHT.take(area(visit.picture.image)):
                caption = captions.read(visit.picture.image, None, analyzer.reader)
        except PartUnavailable as error:
            caption, problem = Caption(), str(error)
        done = Stage("ocr", (time.perf_counter() - start) * 1000, "failed" if problem else "ok")
        on_stage(done)
        visit.reading = Reading(caption, done, problem)
    return visit.reading.caption


def run(
    visit: Visit, caption: Caption, analyzer: Analyzer, on_stage: OnStage, lenses: Collection[str] = ()
) -> Analysis:
    """The analysis of the visit's meme with this caption and through these other lenses.

    Raises `SubtextError` where there is nothing to analyze.
    """
    picture, weights = visit.picture, tuple(sorted(analyzer.info.weights.items()))
    key = (caption.text, caption.source, weights, tuple(lenses))  # the picture is the same until `Visit.take`
    if key in visit.results:
        return visit.results[key]
    meme = Meme(None, caption) if picture is None else picture.meme(caption)
    with IN_FLIGHT.take(area(meme.image)):
        analysis: Analysis = analyzer.analyze(meme, explain=True, lenses=lenses, on_stage=on_stage)
    if visit.reading is not None:
        analysis = replace(analysis, stages=(visit.reading.stage, *analysis.stages))
    visit.keep(key, analysis)
    return analysis


def label(name: str) -> str:
    """A stage's name in words."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def took(ms: float) -> str:
    """A time in words, in milliseconds or seconds."""
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms"


class Progress:
    """Shows stages as they start and end, until `clear`. Only the thread of its page may use it."""

    def __init__(self) -> None:
        self._place = st.empty()
        self._box = self._place.container()
        self._lines: dict[str, StatusContainer] = {}

    def show(self, stage: Stage) -> None:
        """The callback for `Analyzer.analyze`: `ms` is None when a stage starts."""
        if stage.name not in self._lines:
            self._lines[stage.name] = self._box.status(label(stage.name), type="step", state="running")
        if stage.ms is not None:
            state: Literal["error", "complete"] = "error" if stage.status == "failed" else "complete"
            self._lines[stage.name].update(label=f"{label(stage.name)} · {took(stage.ms)}", state=state)

    def clear(self) -> None:
        """Remove the lines."""
        self._place.empty()


def table(stages: Sequence[Stage], profile: ProfileInfo) -> None:
    """How long each stage took, and which weights were used."""
    rows = "\n".join(f"| {label(stage.name)} | {took(stage.ms or 0.0)} | {stage.status} |" for stage in stages)
    total = took(sum(stage.ms or 0.0 for stage in stages))
    st.markdown(f"| Stage | Time | Status |\n|---|---:|---|\n{rows}\n| **All together** | **{total}** | |")
    weights = "\n".join(f"| `{name}` | `{digest[:16]}` |" for name, digest in sorted(profile.weights.items()))
    st.markdown(f"| Weights | SHA-256 begins |\n|---|---|\n{weights}")
