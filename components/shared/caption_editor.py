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


def _box(seen: Visit) -> str:
    return f"caption-{seen.number}"


def _rewrite(seen: Visit) -> None:
    seen.override = st.session_state[_box(seen)]


def _back(seen: Visit) -> None:
    seen.override = None
    st.session_state[_box(seen)] = seen.words


def _none(seen: Visit) -> None:
    seen.override = st.session_state[_box(seen)] = ""


def edit(seen: Visit, read: Caption | None) -> None:
    """Draw the box. A change is taken up when the box is left or with Ctrl+Enter; the OCR does not run again.

    `read` is None where the words could not be used: they still stand in the box, to be mended.
    """
    caption = read or Caption(seen.words, "override" if seen.override is not None else "none")
    box = _box(seen)
    if box not in st.session_state:
        st.session_state[box] = seen.words
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
        args=(seen,),
        placeholder="No words: write them here",
    )
    with st.container(horizontal=True, gap="small"):
        if seen.picture is not None and seen.override is not None:
            st.button("Back to the OCR's text", icon=":material/undo:", type="tertiary", on_click=_back, args=(seen,))
        if seen.picture is not None and caption.source != "none":
            st.button(
                "Judge without words", icon=":material/format_clear:", type="tertiary", on_click=_none, args=(seen,)
            )
    if seen.reading is not None and seen.reading.problem:
        failures.tell(seen.reading.problem)
    if caption.uncertain:
        st.caption("The OCR was unsure of the marked words:")
        st.html(highlighted_words.doubtful(caption.text, caption.uncertain))
