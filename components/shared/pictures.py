"""Pictures on the page: fitted to the screen, described in words, and blurred until clicked where the viewer asks.

The blur is made on the server: before the click the browser holds only the blurred picture.
"""

import streamlit as st
from PIL import Image, ImageFilter

MAX_SIDE = 1000  # pixels of the longer side that go to the browser
BLUR = "blur_pictures"
_REVEALED = "revealed_pictures"
_BLURRED_SIDE = 24  # pixels of the longer side that are left of a blurred picture


def fitted(image: Image.Image, longest: int = MAX_SIDE) -> Image.Image:
    """The picture with its longer side at most `longest` pixels; always a copy, and never less than one pixel."""
    scale = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def blurred(image: Image.Image) -> Image.Image:
    """A picture of the same shape with nothing in it that could be made out: detail is dropped, then smoothed."""
    small = fitted(image, _BLURRED_SIDE)
    shown = fitted(image, 480)
    return small.resize(shown.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(max(shown.size) / 24))


def hidden(key: str, *, always: bool = False) -> bool:
    """Whether a picture has to be blurred `always` or at the viewer's wish, and was not clicked yet."""
    return (always or bool(st.session_state.get(BLUR))) and key not in st.session_state.get(_REVEALED, ())


def reveal(key: str) -> None:
    """Show a picture from now on; called when its button is clicked."""
    st.session_state[_REVEALED] = {*st.session_state.get(_REVEALED, ()), key}


def cover_all() -> None:
    """Blur again what was revealed; called when the switch is moved."""
    st.session_state[_REVEALED] = set()


def show(image: Image.Image, *, key: str, place: str, alt: str, height: int = 420) -> None:
    """Draw a picture no higher than `height` CSS pixels. Pictures of one meme share `key`, so that one click shows them
    all; `place` names where on the page this one is drawn."""
    width = max(1, min(MAX_SIDE, round(image.width * min(height / image.height, 3.0))))
    if hidden(key):
        st.image(blurred(image), alt="A blurred picture", width=width)
        st.button(
            "Show the picture", key=f"show-{place}-{key}", icon=":material/visibility:", on_click=reveal, args=(key,)
        )
    else:
        st.image(fitted(image), alt=alt, width=width, output_format="JPEG")
