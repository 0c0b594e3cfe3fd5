"""What the gradient says, in place of an attention that has nothing to show."""

from __future__ import annotations

import streamlit as st
from PIL import Image

from components.analyze import overlay
from components.shared import highlighted_words, pictures
from components.shared.escaping import for_markdown
from models.analysis import Gradient, RegionEffect


def regions(gradient: Gradient, image: Image.Image) -> list[RegionEffect]:
    """The cells of the 7x7 grid as boxes of the picture."""
    rows = len(gradient.regions)
    width, height = image.width / max(rows, 1), image.height / max(rows, 1)
    return [
        RegionEffect((x * width, y * height, (x + 1) * width, (y + 1) * height), value)
        for y, row in enumerate(gradient.regions)
        for x, value in enumerate(row)
    ]


def picture(gradient: Gradient, image: Image.Image) -> Image.Image:
    """The picture tinted by gradient times input."""
    return overlay.effects(image, regions(gradient, image))


def draw(gradient: Gradient, why: str, caption: str, image: Image.Image | None, key: str) -> None:
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
        pictures.show(
            picture(gradient, image),
            key=key,
            place="gradient",
            alt="The picture, each of 49 cells tinted by its gradient times input",
        )
        st.caption(
            "Gradient times input: red pushes toward hateful, blue-green away, for small changes. The Evidence tab "
            "tells what covering a whole region does."
        )
