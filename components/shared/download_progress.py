"""How far a download of models is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from components.shared.escaping import for_markdown

if TYPE_CHECKING:
    from models.io.downloads import OnProgress, Progress

PAUSE = 0.2  # seconds between two messages to the page


@contextmanager
def shown() -> Iterator[OnProgress]:
    """A progress bar where it is called, for as long as something is downloaded; gone in the end, whatever happens."""
    place = st.empty()
    last = [0.0]

    def show(progress: Progress) -> None:
        if time.monotonic() - last[0] >= PAUSE:
            last[0] = time.monotonic()
            place.progress(fraction(progress), text=message(progress))

    try:
        yield show
    finally:
        place.empty()


def fraction(progress: Progress) -> float:
    """0-1; 0 where the whole is not known."""
    return min(1.0, progress.done / progress.total) if progress.total else 0.0


def message(progress: Progress) -> str:
    """The file, and how much of it is here."""
    whole = f" of {progress.total / 1e6:,.0f}" if progress.total else ""
    return f"Downloading {for_markdown(progress.file)}: {progress.done / 1e6:,.0f}{whole} MB"
