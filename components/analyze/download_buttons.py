"""The analysis to take along: JSON for machines, one HTML file for people."""

from __future__ import annotations

import json

import streamlit as st
from PIL import Image

from components.analyze import report
from models.analysis import Analysis


def as_json(analysis: Analysis) -> str:
    """`subtext/1`, indented."""
    return json.dumps(analysis.to_dict(), ensure_ascii=False, indent=2)


def draw(analysis: Analysis, image: Image.Image | None, name: str) -> None:
    """Two buttons; each file is made when it is asked for."""
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "Analysis as JSON",
            data=lambda: as_json(analysis),
            file_name=f"subtext-{name}.json",
            mime="application/json",
            icon=":material/data_object:",
            on_click="ignore",
            width="stretch",
        )
        st.download_button(
            "Report as HTML",
            data=lambda: report.build(analysis, image),
            file_name=f"subtext-{name}.html",
            mime="text/html",
            icon=":material/description:",
            on_click="ignore",
            width="stretch",
        )
        st.caption("The report is one file with the pictures inside. It opens in any browser, also offline.")
