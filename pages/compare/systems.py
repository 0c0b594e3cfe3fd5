"""Compare: pick systems, give one meme, see what each answers, from what and how fast, and where they disagree."""

import streamlit as st

from components import comparison, engine, failures, gallery, pictures, sidebar
from models import captions
from models.errors import EmptyMeme
from models.images import open_picture

about = sidebar.draw()
st.title("Compare systems", anchor=False)
st.markdown(
    "Earlier ways to read memes, each trained here in full. Give one meme, and see what they answer, from what, and how fast."
)
choices = comparison.choices()
if not choices:
    st.info("There are no trained systems in `weights/`: `python -m training fit` makes them.", icon=":material/info:")
    st.stop()
preferred = [name for name in choices if name.startswith("memotion")] or list(choices)
picked = st.multiselect("Systems", list(choices), default=preferred, format_func=choices.get, key="systems")

samples = {sample.alt: sample for sample in gallery.samples()}
left, right = st.columns(2, gap="medium")
with left:
    file = st.file_uploader(
        "A picture", type=["png", "jpg", "jpeg", "webp", "gif", "bmp"], max_upload_size=10, key="compare-picture"
    )
    sample = st.selectbox("Or a sample", list(samples), index=None, placeholder="No sample", key="compare-sample")
with right:
    words = st.text_area(
        "Its words", key="compare-words", height=120, placeholder="Left empty, they are read from the picture"
    )

data = file.getvalue() if file is not None else samples[sample].file.read_bytes() if sample else None
if data is None and not words.strip():
    st.info("Give a picture, some words, or both.", icon=":material/add_photo_alternate:")
    st.stop()
with failures.contained():
    picture = open_picture(data) if data is not None else None
    if words.strip():
        caption = captions.from_override(words)
    else:
        with st.spinner("Reading the words off the picture"):
            caption = captions.read(picture.image if picture else None, None, engine.analyzer().reader)
    if picture is None and not caption.text.strip():
        raise EmptyMeme("There is nothing to compare on: give a picture, some words, or both.")
    if not picked:
        st.info("Pick at least one system.", icon=":material/checklist:")
        st.stop()
    image = picture.image if picture else None
    shown, table = st.columns([1, 3], gap="medium")
    with shown:
        if picture is not None:
            pictures.show(
                picture.image, key=picture.sha256[:8], place="compare", alt="The meme that is compared on", height=220
            )
        st.caption(f"Words ({caption.source}):")
        st.text(caption.text or "none")
    with table, st.spinner("Asking the systems"):
        found = [comparison.ask(name, choices[name], image, caption.text) for name in picked]
    comparison.draw(found)
