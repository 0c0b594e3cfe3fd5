"""The one analyzer of this process, shared by every visitor's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from models.retrieval import JointSpace, MiniSpace


@st.cache_resource(show_spinner=False, max_entries=1)
def analyzer() -> Analyzer:
    """Load the models once; raises `SubtextError` with what to do when the weights are missing or damaged."""
    from models.analyzer import Analyzer  # here, so that the page is drawn before the models are read

    return Analyzer(profile="auto")


@st.cache_resource(show_spinner=False, max_entries=1)
def joint_space() -> JointSpace | MiniSpace:
    """The towers of the search; raises `SubtextError` as `analyzer` does."""
    from models.retrieval import open_space

    return open_space()
