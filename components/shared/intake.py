"""The ways to give a meme: upload, words, paste, camera, samples; each ends in `Visit.take` or in a sentence. And the
words of the meme in an editable box, with their source, what the OCR was unsure of, and the way back to the OCR's text."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from PIL import Image, ImageOps

from components.shared import failures, highlighted_words, pictures, visit
from components.shared.escaping import for_markdown
from models.analysis import Caption, Source
from models.errors import EmptyMeme
from models.io.captions import ILLEGIBLE, PartlyRead
from models.io.images import SUFFIXES, open_picture
from models.io.language import NAMES
from models.io.samples import Sample, samples
from models.io.uploads import UPLOADS

KINDS = [suffix.removeprefix(".") for suffix in SUFFIXES]
UPLOAD, WORDS, CAMERA = "upload", "words_or_paste", "camera"
_CAMERA_ON = "camera_on"
_THUMBNAIL = (240, 180)
_SMALL = 56  # CSS pixels: the width of a thumbnail that stands beside its button
SOURCES: dict[Source, tuple[str, str]] = {
    "ocr": ("Read from the picture", ":material/document_scanner:"),
    "override": ("Written by you", ":material/edit:"),
    "none": ("No words", ":material/format_clear:"),
}
LANGUAGE_UNCLEAR = "Language unclear"
HELP = "Correct what the OCR read, then press Ctrl+Enter or click outside the box: the verdict follows."


def accept(data: bytes | None, words: str | None, alt: str, meaning: str = "") -> None:
    """Look at a picture (its bytes, or the token of an upload), words, or both. For a picture that cannot be opened the visit
    keeps the sentence and the words that came with it. `meaning` says what the words of a sample are in English."""
    visited = visit.current()
    words = words if words and words.strip() else None
    try:
        if data is None and words is None:
            raise EmptyMeme("There is nothing to analyze: give a picture, some words, or both.")
        picture = open_picture(UPLOADS.content(data)) if data is not None else None
    except Exception as error:
        visited.problem, visited.kept_words = failures.sentence(error), words
        return
    visited.take(picture, words, alt, meaning)


def _take_file(key: str, alt: str) -> None:
    file = st.session_state[key]
    if file is not None:
        accept(file.getvalue(), None, alt)
    elif key == UPLOAD:
        visit.current().problem = ""


def _take_message() -> None:
    message = st.session_state[WORDS]
    if message is not None:
        data = message.files[0].getvalue() if message.files else None
        accept(data, message.text, "The pasted picture")


def _take_sample(sample: Sample) -> None:
    accept(sample.file.read_bytes(), sample.words, sample.alt, sample.meaning)


TITLE = "What does this meme say?"
LEAD = (
    "Give a picture, some words, or both. Subtext judges whether it attacks people for what they are, "
    "reads its emotions, and shows what moved the answer."
)


def ask(title: str = TITLE, lead: str = LEAD) -> None:
    """Draw every way to give a meme, all in sight without scrolling on a laptop. The camera stays off until it is switched on."""
    visited = visit.current()
    st.title(title, anchor=False)
    st.markdown(lead)
    if visited.problem:
        failures.tell(visited.problem)
        if visited.kept_words:
            words_alone = (None, visited.kept_words, "")
            st.button("Go on with the words alone", icon=":material/text_fields:", on_click=accept, args=words_alone)
    picture, words = st.columns(2, gap="medium")
    with picture, st.container(border=True, height="stretch"):
        how = "JPEG, PNG, WebP, GIF or BMP, up to 10 MB and 20 megapixels (JPEG: 60). Of an animation the first frame is read."
        st.file_uploader(
            "Upload a picture",
            type=KINDS,
            max_upload_size=10,
            key=UPLOAD,
            on_change=_take_file,
            args=(UPLOAD, "The uploaded picture"),
            help=how,
        )
        st.toggle("Use the camera", key=_CAMERA_ON)
        if st.session_state.get(_CAMERA_ON):
            photograph = (CAMERA, "The photograph")
            st.camera_input("Photograph a meme", key=CAMERA, on_change=_take_file, args=photograph, resolution="720p")
    with words, st.container(border=True, height="stretch"):
        st.markdown(":material/edit: **Type words or paste a picture**")
        files: dict[str, Any] = {"accept_file": True, "file_type": KINDS, "max_upload_size": 10}
        st.chat_input("Type words, or paste a picture here", key=WORDS, on_submit=_take_message, **files)
        st.caption("Words alone are enough. Words sent with a picture are taken as its caption. Enter sends.")
    st.markdown(":material/photo_library: **Or start with a sample**")
    if samples():
        _gallery()


@cache
def _thumbnail(file: Path) -> Image.Image:
    """The whole picture, since its words often reach the edge, on a blurred background of its own colours."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    ground = ImageOps.fit(pictures.blurred(image), _THUMBNAIL)
    whole = ImageOps.contain(image, _THUMBNAIL, Image.Resampling.LANCZOS)
    ground.paste(whole, ((_THUMBNAIL[0] - whole.width) // 2, (_THUMBNAIL[1] - whole.height) // 2))
    return ground


def _gallery() -> None:
    """The samples as rows of thumbnails, each with a button; the rows wrap on a narrow screen."""
    in_english = [sample for sample in samples() if sample.language == "English"]
    count = len(in_english)
    columns = count if count <= 8 else (count + 1) // 2  # one row, or two of the same length
    with st.grid(columns=columns, min_column_width=88, gap="small") as grid:
        for sample in in_english:
            with grid.cell(), st.container(gap="xsmall"):
                _show_thumbnail(sample, "stretch")
                _sample_button(sample)
    with st.grid(columns=4, min_column_width=180, gap="small") as grid:  # in other languages
        for sample in samples():
            if sample not in in_english:
                with grid.cell(), st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                    _show_thumbnail(sample, _SMALL)
                    _sample_button(sample)


def _show_thumbnail(sample: Sample, width: int | Literal["stretch"]) -> None:
    image = _thumbnail(sample.file)
    if pictures.hidden(f"sample-{sample.file.name}"):
        image = pictures.blurred(image)
    st.image(image, alt=sample.alt, width=width, output_format="JPEG")


def _sample_button(sample: Sample) -> None:
    label, key, meaning = for_markdown(sample.label), f"sample-{sample.file.stem}", for_markdown(sample.meaning)
    st.button(label, key=key, help=meaning or None, width="stretch", on_click=_take_sample, args=(sample,))


def start_over() -> None:
    """Forget the meme and its results, and ask for another one."""
    visit.current().take(None, None)


def _rewrite(visited: visit.Visit, box: str) -> None:
    visited.override = st.session_state[box]


def _replace(visited: visit.Visit, box: str, words: str | None) -> None:
    visited.override = words
    st.session_state[box] = visited.words


def badge(source: Source) -> None:
    """Where the words come from."""
    text, icon = SOURCES[source]
    st.badge(text, icon=icon, color="blue" if source == "ocr" else "gray")


def name_language(code: str | None) -> None:
    """The language of the words; nothing where nobody looked for it."""
    if code is not None:
        st.badge(NAMES.get(code, LANGUAGE_UNCLEAR), icon=":material/translate:", color="gray")


def edit_words(visited: visit.Visit, read: Caption | None) -> None:
    """Draw the box. A change counts when the box loses the focus or with Ctrl+Enter; the OCR does not run again.

    `read` is None where the words could not be used: they stay in the box to be corrected.
    """
    caption = read or Caption(visited.words, "override" if visited.override is not None else "none")
    box = f"caption-{visited.number}"
    if box not in st.session_state:
        st.session_state[box] = visited.words
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("Words", help=HELP, width="content")
        badge(caption.source)
        name_language(caption.language)
    look: dict[str, Any] = {"label_visibility": "collapsed", "height": 96, "placeholder": "No words: write them here"}
    st.text_area("Words of the meme", key=box, on_change=_rewrite, args=(visited, box), **look)
    with st.container(horizontal=True, gap="small"):
        if visited.picture is not None and visited.override is not None:
            back = (visited, box, None)
            st.button("Back to the OCR's text", icon=":material/undo:", type="tertiary", on_click=_replace, args=back)
        if visited.picture is not None and caption.source != "none":
            none = (visited, box, "")
            st.button(
                "Judge without words", icon=":material/format_clear:", type="tertiary", on_click=_replace, args=none
            )
    if visited.meaning:
        st.caption(for_markdown(visited.meaning))
    if visited.reading is not None and visited.reading.problem:
        failures.tell(visited.reading.problem)
    if isinstance(caption, PartlyRead) and caption.illegible:
        st.info(ILLEGIBLE, icon=":material/translate:")
    if caption.uncertain:
        st.caption("The OCR was unsure of the marked words:")
        st.html(highlighted_words.doubtful(caption.text, caption.uncertain))
