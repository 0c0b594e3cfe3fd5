"""What one visitor compares: systems, picture, words. They stay for the visit, also while other pages are looked at.

Widgets keep their own values; a file cannot be put back into its uploader, so it is kept here, with a way to remove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from components.shared.escaping import for_markdown, shorten
from components.shared.intake import KINDS
from models.io.samples import samples

SYSTEMS, SAMPLE, WORDS, PICTURE = "systems", "compare-sample", "compare-words", "compare-picture"
_FILE = "compare-file"


@dataclass(frozen=True)
class Given:
    """A meme to compare on: the bytes of its picture, if there is one, and what was typed."""

    picture: bytes | None
    words: str


def pick(titles: dict[str, str], preferred: Sequence[str]) -> list[str]:
    """Which systems to ask; at first the preferred ones."""
    return st.multiselect(
        "Systems", list(titles), preferred, format_func=titles.__getitem__, key=SYSTEMS, persist_state="session"
    )


def ask() -> Given:
    """The picture, or a sample, and the words. An upload counts before a sample."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.file_uploader("A picture", type=KINDS, max_upload_size=10, key=PICTURE, on_change=_uploaded)
        name, picture = st.session_state.get(_FILE, ("", None))
        if picture is not None and st.session_state.get(PICTURE) is None:
            label = f"Remove {for_markdown(shorten(name, 40))}"
            st.button(label, icon=":material/close:", on_click=_uploaded, key="compare-remove")
        drawn = {sample.title: sample for sample in samples()}
        sample = st.selectbox(
            "Or a sample", list(drawn), None, placeholder="No sample", key=SAMPLE, persist_state="session"
        )
        if sample is not None and picture is not None:
            st.caption(
                ":material/info: The picture counts as long as there is one: remove it to compare on the sample."
            )
    with right:
        words = st.text_area(
            "Its words",
            key=WORDS,
            height=120,
            placeholder="Left empty, they are read from the picture",
            persist_state="session",
        )
    if sample is not None and picture is None:
        picture = drawn[sample].file.read_bytes()
    return Given(picture, words)


def _uploaded() -> None:
    file = st.session_state.get(PICTURE)
    st.session_state[_FILE] = ("", None) if file is None else (file.name, file.getvalue())
