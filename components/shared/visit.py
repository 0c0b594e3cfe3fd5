"""What one visitor is looking at, and its analysis. It lives in `st.session_state` and nowhere else.

The words are read once a picture and analyzed once a caption. A progress line stands for each stage while it runs, and a
table tells afterwards what each took.

Results are kept here rather than in `st.cache_data`, which every visitor shares: a cache across visitors would keep
captions and pictures past the visit that they belong to, and its timing would tell one visitor what another has asked.
Within a visit the last few results are kept, so that going back to an earlier caption costs nothing.
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
    """What the OCR made of a picture: its caption, its time, and a sentence where it could not run."""

    caption: Caption
    stage: Stage
    problem: str = ""


@dataclass
class Visit:
    """One visitor's meme. `override` is None as long as the OCR's words stand; an empty one means "no words".

    `problem` is what was wrong with the last thing given, `kept_words` the words that came with it; `number` counts
    memes, so that widgets of the last one are not taken for those of this one.
    """

    picture: Picture | None = None
    override: str | None = None
    alt: str = ""
    reading: Reading | None = None
    results: OrderedDict[Hashable, Analysis] = field(default_factory=OrderedDict)
    problem: str = ""
    kept_words: str | None = None
    number: int = 0

    @property
    def empty(self) -> bool:
        """Nothing to look at yet."""
        return self.picture is None and self.override is None

    @property
    def words(self) -> str:
        """The words as they stand in the editable box."""
        if self.override is not None:
            return self.override
        return self.reading.caption.text if self.reading else ""

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that name this meme: safe in a file name, and they tell nothing about it."""
        source = self.picture.sha256 if self.picture else hashlib.sha256(self.words.encode()).hexdigest()
        return source[:8]

    def take(self, picture: Picture | None, words: str | None, alt: str = "") -> None:
        """Look at another meme: whatever belonged to the last one is forgotten."""
        self.picture, self.override, self.alt = picture, words, alt
        self.reading, self.problem, self.kept_words = None, "", None
        self.results.clear()
        self.number += 1

    def keep(self, key: Hashable, analysis: Analysis) -> None:
        """Keep a result for as long as this meme is looked at, the last few of them."""
        self.results[key] = analysis
        self.results.move_to_end(key)
        while len(self.results) > MAX_RESULTS:
            self.results.popitem(last=False)


def current() -> Visit:
    """The visit of whoever is looking."""
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
    key = (visit.name if picture else "", caption.text, caption.source, weights, tuple(lenses))
    if key in visit.results:
        return visit.results[key]
    meme = Meme(picture.image, caption, picture.format, picture.sha256) if picture is not None else Meme(None, caption)
    analysis: Analysis = analyzer.analyze(meme, explain=True, lenses=lenses, on_stage=on_stage)
    if visit.reading is not None:
        analysis = replace(analysis, stages=(visit.reading.stage, *analysis.stages))
    visit.keep(key, analysis)
    return analysis


def label(name: str) -> str:
    """A stage's name for people; one that is not known here keeps its own, tidied."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def took(ms: float) -> str:
    """A time as people read it."""
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms"


class Progress:
    """Shows stages as they start and end; `clear` takes the lines away. Made for one thread, the one of its page."""

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
        """The lines have done their work."""
        self._place.empty()


def table(stages: Sequence[Stage], profile: ProfileInfo) -> None:
    """What each stage took, and which weights did it."""
    rows = "\n".join(f"| {label(stage.name)} | {took(stage.ms or 0.0)} | {stage.status} |" for stage in stages)
    total = took(sum(stage.ms or 0.0 for stage in stages))
    st.markdown(f"| Stage | Time | Status |\n|---|---:|---|\n{rows}\n| **All together** | **{total}** | |")
    weights = "\n".join(f"| `{name}` | `{digest[:16]}` |" for name, digest in sorted(profile.weights.items()))
    st.markdown(f"| Weights | SHA-256 begins |\n|---|---|\n{weights}")
