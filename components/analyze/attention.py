"""Where the model looks: a view into it, not the reason for its answer."""

from __future__ import annotations

import zlib

import streamlit as st
from PIL import Image

from components.analyze import overlay
from components.shared import failures, highlighted_words, pictures
from components.shared.escaping import for_markdown, shorten
from models.analysis import Attention

PILLS = 40
"""Up to so many words stand as buttons; of more, one is chosen from a list that can be searched by typing."""
ALL_WORDS = "All words together"


def where(grid: tuple[tuple[float, ...], ...]) -> str:
    """The patch looked at most, in words: the grid for who cannot see it."""
    rows, columns = len(grid), len(grid[0])
    most = max((value, -y, -x) for y, row in enumerate(grid) for x, value in enumerate(row))
    value, y, x = most[0], -most[1], -most[2]
    down = ("top", "middle", "bottom")[min(2, 3 * y // rows)]
    across = ("left", "centre", "right")[min(2, 3 * x // columns)]
    return f"most at the {down} {across} (row {y + 1}, column {x + 1} of {rows}, {value:.0%})"


def pick(attention: Attention, caption: str) -> int | None:
    """Ask for a word of this caption; its index, or None for all words together."""
    count, key = len(attention.words), f"picked-{zlib.crc32(caption.encode()):08x}"
    if count <= PILLS:
        return st.pills(
            "Pick a word to see where it looks",
            range(count),
            format_func=lambda index: for_markdown(shorten(attention.words[index].text, 24)) or "·",
            key=key,
            wrap=True,  # in a column they would stand in one row, the last of them out of sight
        )
    return st.selectbox(
        "Pick a word to see where it looks",
        range(count),
        index=None,
        format_func=lambda index: f"{index + 1}. {attention.words[index].text}",
        placeholder=ALL_WORDS,
        key=f"{key}-of-many",
    )


@st.fragment
def draw(attention: Attention, caption: str, image: Image.Image | None, key: str) -> None:
    """The caption shaded by attention, and the picture under the attention of all words or of the one picked."""
    st.caption(
        "Attention shows which parts of the picture the model compared with which words. It is a view into the model, "
        "not the reason for its answer: for that, see the evidence."
    )
    if attention.status == "failed":
        failures.tell(attention.detail or "The attention could not be drawn.")
        return
    if attention.status == "off":
        st.info(
            for_markdown(attention.detail or "The explanation was not asked for."), icon=":material/visibility_off:"
        )
        return
    left, right = st.columns(2, gap="medium")
    picked = None
    with left:
        if not attention.words:
            st.info("No text found, so no word looks anywhere.", icon=":material/text_fields:")
        else:
            shaded = st.container()
            if attention.word_regions and image is not None:
                picked = pick(attention, caption)
            with shaded:
                st.html(highlighted_words.attended(caption, attention.words, picked))
                st.caption("The stronger the colour of a word, the more of the attention it holds.")
    with right:
        if image is None or not attention.regions:
            st.info("Without both a picture and words there is nothing to look at.", icon=":material/hide_image:")
            return
        grid = attention.regions if picked is None else attention.word_regions[picked]
        together = ALL_WORDS if attention.words else "The model without words"
        who = together if picked is None else f"“{shorten(attention.words[picked].text, 40)}”"
        pictures.show(overlay.heat(image, grid), key=key, place="attention", alt=f"Heat. {who}: {where(grid)}")
        st.html(highlighted_words.plain(f"{who}: {where(grid)}."))
