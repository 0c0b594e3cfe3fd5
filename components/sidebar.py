"""Beside every page: what runs, the switch that blurs, and what the model cannot judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from components import pictures
from components.palette import AWAY

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from models.analysis import ProfileInfo

LOGO = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" role="img" aria-label="Subtext">
<rect x="1" y="3" width="30" height="26" rx="7" fill="{AWAY}"/>
<rect x="7" y="9" width="18" height="4" rx="2" fill="#fff"/><rect x="7" y="18" width="11" height="4" rx="2" fill="#fff"
 opacity=".55"/><text x="41" y="24" font-family="Source Serif 4,Georgia,serif" font-size="24" font-weight="600"
 fill="{AWAY}">Subtext</text></svg>"""

LIMITS = """
- Who speaks, to whom, and whether it is meant: irony, quotation and reclaimed words look the same to it.
- Languages other than English, slang that is younger than its data, and images that need knowledge of an event.
- Sarcasm that only the picture gives away, or two harmless halves that are hateful together, are often missed.
- Emotions are what words and faces show, not what anyone feels.

A verdict is a reason to look, never a reason to act without looking. The middle band exists because the model is
often unsure.
"""


def draw(kept: str = "Pictures and words are kept only while this page is open.") -> DeltaGenerator:
    """Draw the sidebar; returns the place for `tell`, since the models may still have to be loaded. `kept` says how long
    what is given is kept."""
    st.logo(LOGO, size="large")
    with st.sidebar:
        st.toggle(
            "Blur pictures until clicked",
            key=pictures.BLUR,
            on_change=pictures.cover_all,
            help="Every picture stays blurred until you ask for it.",
        )
        with st.expander("What it cannot judge", icon=":material/balance:"):
            st.markdown(LIMITS)
        place = st.empty()
        st.caption(f":material/lock: {kept}")
    return place


def tell(place: DeltaGenerator, info: ProfileInfo) -> None:
    """What runs: profile, device, precision and size."""
    place.caption(
        f":material/memory: Profile **{info.name}** on {info.device.upper()}, {info.dtype}  \n"
        f":material/lan: {info.parameters / 1e6:,.1f} million parameters"
    )
