"""The ways in: upload, words, paste, camera, gallery. Each ends in `Visit.take` or in a sentence."""

from __future__ import annotations

import streamlit as st

from components.shared import failures, sample_gallery, visit
from models.errors import EmptyMeme
from models.io.images import SUFFIXES, open_picture
from models.io.samples import Sample

KINDS = [suffix.removeprefix(".") for suffix in SUFFIXES]
UPLOAD, WORDS, CAMERA = "upload", "words_or_paste", "camera"
_CAMERA_ON = "camera_on"


def accept(data: bytes | None, words: str | None, alt: str) -> None:
    """Look at a picture, words, or both. A picture that cannot be opened leaves its sentence in the visit, and the
    words that came with it stay."""
    visited = visit.current()
    words = words if words and words.strip() else None
    try:
        if data is None and words is None:
            raise EmptyMeme("There is nothing to analyze: give a picture, some words, or both.")
        picture = open_picture(data) if data is not None else None
    except Exception as error:
        visited.problem, visited.kept_words = failures.sentence(error), words
        return
    visited.take(picture, words, alt)


def _uploaded() -> None:
    file = st.session_state[UPLOAD]
    if file is None:
        visit.current().problem = ""
    else:
        accept(file.getvalue(), None, "The uploaded picture")


def _photographed() -> None:
    file = st.session_state[CAMERA]
    if file is not None:
        accept(file.getvalue(), None, "The photograph")


def _written() -> None:
    given = st.session_state[WORDS]
    if given is not None:
        file = given.files[0] if given.files else None
        accept(file.getvalue() if file else None, given.text, "The pasted picture")


def _picked(sample: Sample) -> None:
    accept(sample.file.read_bytes(), None, sample.alt)


def _use_kept() -> None:
    accept(None, visit.current().kept_words, "")


TITLE = "What does this meme say?"
LEAD = (
    "Give a picture, some words, or both. Subtext judges whether it attacks people for what they are, "
    "reads its emotions, and shows what moved the answer."
)


def ask(title: str = TITLE, lead: str = LEAD) -> None:
    """Draw every way in: all of them in sight without scrolling on a laptop, and no camera asked for unbidden."""
    visited = visit.current()
    st.title(title, anchor=False)
    st.markdown(lead)
    if visited.problem:
        failures.tell(visited.problem)
        if visited.kept_words:
            st.button("Go on with the words alone", icon=":material/text_fields:", on_click=_use_kept)
    picture, words = st.columns(2, gap="medium")
    with picture, st.container(border=True, height="stretch"):
        st.file_uploader(
            "Upload a picture",
            type=KINDS,
            max_upload_size=10,
            key=UPLOAD,
            on_change=_uploaded,
            help="JPEG, PNG, WebP, GIF or BMP, up to 10 MB and 20 megapixels (JPEG: 60). Of an animation the first frame is read.",
        )
        st.toggle("Use the camera", key=_CAMERA_ON)
        if st.session_state.get(_CAMERA_ON):
            st.camera_input("Photograph a meme", key=CAMERA, on_change=_photographed, resolution="720p")
    with words, st.container(border=True, height="stretch"):
        st.markdown(":material/edit: **Type words or paste a picture**")
        st.chat_input(
            "Type words, or paste a picture here",
            key=WORDS,
            accept_file=True,
            file_type=KINDS,
            max_upload_size=10,
            on_submit=_written,
        )
        st.caption("Words alone are enough. Words sent with a picture are taken as its caption. Enter sends.")
    st.markdown(":material/photo_library: **Or start with a sample**")
    sample_gallery.draw(_picked)


def start_over() -> None:
    """Back to the ways in; the meme and its results are forgotten."""
    visit.current().take(None, None)
