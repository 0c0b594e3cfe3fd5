"""What one visitor compares: systems, picture, words. Kept in `st.session_state` for the visit, as `components/visit.py` does.

Streamlit forgets a widget's value as soon as a page is drawn without it, so what was chosen is kept beside the widgets and put
back before they are drawn. A file cannot be put back into its uploader: it is kept as what it is, with a way to remove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components.escaping import for_markdown, shorten
from components.intake import KINDS
from models.samples import samples

SYSTEMS, SAMPLE, WORDS, PICTURE = "systems", "compare-sample", "compare-words", "compare-picture"
_KEY = "compared"


@dataclass
class Kept:
    """`systems` is None until some were picked; `file` the uploaded picture with its name; `sample` a sample's title."""

    systems: list[str] | None = None
    sample: str | None = None
    words: str = ""
    file: tuple[str, bytes] | None = None

    @property
    def picture(self) -> bytes | None:
        """The bytes to compare on: the upload before the sample."""
        if self.file is not None:
            return self.file[1]
        found = {sample.title: sample for sample in samples()}.get(self.sample or "")
        return found.file.read_bytes() if found else None


def current() -> Kept:
    """What whoever is looking has chosen."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Kept()
    found: Kept = st.session_state[_KEY]
    return found


def pick(titles: dict[str, str], preferred: Sequence[str]) -> list[str]:
    """Which systems to ask; those that were picked before and are there still."""
    kept = current()
    _put_back(SYSTEMS, list(preferred) if kept.systems is None else [one for one in kept.systems if one in titles])
    kept.systems = st.multiselect("Systems", list(titles), format_func=titles.__getitem__, key=SYSTEMS)
    return kept.systems


def ask() -> Kept:
    """The picture, or a sample, and the words."""
    kept = current()
    left, right = st.columns(2, gap="medium")
    with left:
        st.file_uploader("A picture", type=KINDS, max_upload_size=10, key=PICTURE, on_change=_uploaded)
        if kept.file is not None and st.session_state.get(PICTURE) is None:
            name = for_markdown(shorten(kept.file[0], 40))
            st.button(f"Remove {name}", icon=":material/close:", on_click=_uploaded, key="compare-remove")
        _put_back(SAMPLE, kept.sample)
        titles = [sample.title for sample in samples()]
        kept.sample = st.selectbox("Or a sample", titles, index=None, placeholder="No sample", key=SAMPLE)
        if kept.file is not None and kept.sample:
            st.caption(
                ":material/info: The picture counts as long as there is one: remove it to compare on the sample."
            )
    with right:
        _put_back(WORDS, kept.words)
        kept.words = st.text_area(
            "Its words", key=WORDS, height=120, placeholder="Left empty, they are read from the picture"
        )
    return kept


def _put_back(key: str, value: Any) -> None:
    """What a widget showed when its page was left."""
    if key not in st.session_state:
        st.session_state[key] = value


def _uploaded() -> None:
    file = st.session_state.get(PICTURE)
    current().file = None if file is None else (file.name, file.getvalue())
