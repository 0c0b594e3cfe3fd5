"""Where the model looks: a view into it, not the reason for its answer. Where there is no attention, what the gradient says."""

import zlib

import numpy as np
import streamlit as st
from PIL import Image

from components.analyze import overlay
from components.shared import failures, highlighted_words, pictures
from components.shared.escaping import for_markdown, shorten
from models.analysis import Attention, Gradient, Grid
from models.io.directions import isolated

MAX_PILLS = 40  # words drawn as buttons; more are a list that can be searched by typing
ALL_WORDS = "All words together"


def where(grid: Grid) -> str:
    """The patch with the most attention, in words: the description of the picture."""
    rows, columns = len(grid), len(grid[0])
    y, x = divmod(int(np.argmax(grid)), columns)
    down = ("top", "middle", "bottom")[min(2, 3 * y // rows)]
    across = ("left", "centre", "right")[min(2, 3 * x // columns)]
    return f"most at the {down} {across} (row {y + 1}, column {x + 1} of {rows}, {grid[y][x]:.0%})"


def pick(attention: Attention, caption: str) -> int | None:
    """Ask for a word of this caption; its index, or None for all words together."""
    words = [isolated(word.text) for word in attention.words]
    label, key = "Pick a word to see where it looks", f"picked-{zlib.crc32(caption.encode()):08x}"
    if len(words) <= MAX_PILLS:  # wrapped: in a column they would stand in one row, the last of them out of sight
        titles = [for_markdown(isolated(shorten(word.text, 24))) or "·" for word in attention.words]
        return st.pills(label, range(len(words)), format_func=titles.__getitem__, key=key, wrap=True)
    titles = [f"{number}. {word}" for number, word in enumerate(words, 1)]
    show, key = titles.__getitem__, f"{key}-of-many"
    return st.selectbox(label, range(len(words)), None, show, key=key, placeholder=ALL_WORDS)


@st.fragment
def draw(attention: Attention, caption: str, image: Image.Image | None, key: str) -> None:
    """The caption shaded by attention, and the picture under the attention of all words or of the one picked."""
    st.caption(
        "Attention shows which parts of the picture the model compared with which words. It is a view into the model, "
        "not the reason for its answer: for that, see the evidence."
    )
    if attention.status == "failed":
        failures.tell(attention.detail)
        return
    if attention.status == "off":
        st.info(for_markdown(attention.detail), icon=":material/visibility_off:")
        return
    left, right = st.columns(2, gap="medium")
    picked = None
    with left:
        if not attention.words:
            st.info("No text found, so no word looks anywhere.", icon=":material/text_fields:")
        else:
            shaded = st.container()  # stands above the words to pick from
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
        who = together if picked is None else f"“{isolated(shorten(attention.words[picked].text, 40))}”"
        pictures.show(overlay.heat(image, grid), key=key, place="attention", alt=f"Heat. {who}: {where(grid)}")
        st.html(highlighted_words.sentences(f"{who}: {where(grid)}."))


def draw_gradient(gradient: Gradient, why: str, caption: str, image: Image.Image | None, key: str) -> None:
    """Why there is no attention, then the picture and the words by their gradients."""
    st.info(for_markdown(why), icon=":material/info:")
    left, right = st.columns(2, gap="medium")
    with left:
        if not gradient.words:
            st.info("No text found, so no word has a gradient.", icon=":material/text_fields:")
        else:
            st.html(highlighted_words.weighed(caption, gradient.words))
            if not any(word.effect for word in gradient.words):
                st.caption("No gradient reaches any word: changing the words cannot change this model's answer.")
    with right:
        if image is None or not gradient.regions:
            st.info("Without a picture there is no gradient to show.", icon=":material/hide_image:")
            return
        alt = "The picture, each of 49 cells tinted by its gradient times input"
        pictures.show(overlay.gradient(image, gradient.regions), key=key, place="gradient", alt=alt)
        st.caption(
            "Gradient times input: red pushes toward hateful, blue-green away, for small changes. The Evidence tab "
            "tells what covering a whole region does."
        )
