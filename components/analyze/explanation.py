"""The written explanation, made only of measurements, and what to be careful about."""

from __future__ import annotations

import streamlit as st

from components.shared import highlighted_words
from models.analysis import Explanation


def draw(explanation: Explanation) -> None:
    """The text as it stands; it may quote the caption, so nothing in it is read as markup."""
    if explanation.text:
        st.html(highlighted_words.plain(explanation.text, size="0.92rem"))
    if explanation.cautions:
        with st.expander("What to be careful about", icon=":material/info:"):
            st.html(highlighted_words.listed(explanation.cautions))
