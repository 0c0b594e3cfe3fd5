"""How far a download of models is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from components.escaping import for_markdown

if TYPE_CHECKING:
    from models.hub import OnProgress, Progress

PAUSE = 0.2  # seconds between two messages to the page


def bar() -> OnProgress:
    """What shows a progress bar where it is called, from the first byte until all of a file is there."""
    place = st.empty()
    last = [0.0]

    def show(progress: Progress) -> None:
        finished = bool(progress.total) and progress.done >= progress.total
        if finished:
            place.empty()
        elif time.monotonic() - last[0] >= PAUSE:
            last[0] = time.monotonic()
            share = min(1.0, progress.done / progress.total) if progress.total else 0.0
            of = f" of {progress.total / 1e6:,.0f}" if progress.total else ""
            place.progress(share, text=f"Downloading {for_markdown(progress.file)}: {progress.done / 1e6:,.0f}{of} MB")

    return show
