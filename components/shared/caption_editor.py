"""The words of the meme in an editable box: where they come from, what the OCR doubted, and the way back to them."""

from __future__ import annotations

import streamlit as st

from components.shared import failures, highlighted_words
from components.shared.visit import Visit
from models.analysis import Caption, Source

SOURCES: dict[Source, tuple[str, str]] = {
    "ocr": ("Read from the picture", ":material/document_scanner:"),
    "override": ("Written by you", ":material/edit:"),
    "none": ("No words", ":material/format_clear:"),
}
HELP = "Correct what the OCR read, then press Ctrl+Enter or click outside the box: the verdict follows."


def _box(visit: Visit) -> str:
    return f"caption-{visit.number}"


def _rewrite(visit: Visit) -> None:
    visit.override = st.session_state[_box(visit)]


def _back(visit: Visit) -> None:
    visit.override = None
    st.session_state[_box(visit)] = visit.words


def _none(visit: Visit) -> None:
    visit.override = st.session_state[_box(visit)] = ""


def edit(visit: Visit, read: Caption | None) -> None:
    """Draw the box. A change is taken up when the box is left or with Ctrl+Enter; the OCR does not run again.

    `read` is None where the words could not be used: they still stand in the box, to be mended.
    """
    caption = read or Caption(visit.words, "override" if visit.override is not None else "none")
    box = _box(visit)
    if box not in st.session_state:
        st.session_state[box] = visit.words
    said, icon = SOURCES[caption.source]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("Words", help=HELP, width="content")
        st.badge(said, icon=icon, color="blue" if caption.source == "ocr" else "gray")
    st.text_area(
        "Words of the meme",
        label_visibility="collapsed",
        key=box,
        height=96,
        on_change=_rewrite,
        args=(visit,),
        placeholder="No words: write them here",
    )
    with st.container(horizontal=True, gap="small"):
        if visit.picture is not None and visit.override is not None:
            st.button("Back to the OCR's text", icon=":material/undo:", type="tertiary", on_click=_back, args=(visit,))
        if visit.picture is not None and caption.source != "none":
            st.button(
                "Judge without words", icon=":material/format_clear:", type="tertiary", on_click=_none, args=(visit,)
            )
    if visit.reading is not None and visit.reading.problem:
        failures.tell(visit.reading.problem)
    if caption.uncertain:
        st.caption("The OCR was unsure of the marked words:")
        st.html(highlighted_words.doubtful(caption.text, caption.uncertain))
