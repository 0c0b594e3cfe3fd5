"""A progress line for each stage while it runs, and the time that each took afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import streamlit as st

from models.analysis import ProfileInfo, Stage

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_status_container import StatusContainer

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
