"""Compare: the answers of several systems to one meme, what each reads, how fast it is, and where they disagree."""

import streamlit as st

from components.compare import comparison
from components.shared import engine, failures, highlighted_words, intake, pictures, sidebar
from models.analysis import Meme
from models.errors import EmptyMeme
from models.io import captions
from models.io.images import IN_FLIGHT, area, open_picture
from models.io.uploads import UPLOADS

about = sidebar.draw()
st.title("Compare systems", anchor=False)
st.markdown(
    "Earlier ways to read memes, each trained here in full: for sentiment, humour, offence, whom a meme is aimed at. Beside them "
    "stands Subtext's own verdict, the only one about hate. Give one meme, and see what they answer, from what, and how fast."
)
choices = comparison.choices()
if not choices:
    st.info("There are no trained systems in `weights/`: `python -m training fit` makes them.", icon=":material/info:")
    st.stop()
titles = {name: choice.title for name, choice in choices.items()}
preferred, show = comparison.preferred(choices), titles.__getitem__
picked = st.multiselect("Systems", list(titles), preferred, format_func=show, key="systems", persist_state="session")
data, words = comparison.ask_for_meme()
if data is None and not words.strip():
    st.info("Give a picture, some words, or both.", icon=":material/add_photo_alternate:")
    st.stop()
with failures.contained():
    with st.spinner("Loading the models", show_time=True):
        analyzer = engine.analyzer()
    sidebar.tell(about, analyzer.info)
    picture = open_picture(UPLOADS.content(data)) if data is not None else None
    image = picture.image if picture else None
    if words.strip():
        caption = captions.from_override(words)
    else:
        with st.spinner("Reading the words off the picture"), IN_FLIGHT.take(area(image)):
            caption = captions.read(image, None, analyzer.reader)
    if picture is None and not caption.text.strip():
        raise EmptyMeme("There is nothing to compare on: give a picture, some words, or both.")
    shown, table = st.columns([1, 3], gap="medium")
    with shown:
        if picture is not None:
            key, alt = picture.sha256[:8], "The meme that is compared on"
            pictures.show(picture.image, key=key, place="compare", alt=alt, height=220)
        intake.badge(caption.source)
        if caption.text:
            st.html(highlighted_words.plain(caption.text))
    with table:
        with st.spinner("Asking the systems"), IN_FLIGHT.take(area(image)):
            answers = [comparison.verdict(analyzer, Meme(image, caption))]
            answers += [comparison.ask(name, titles[name], image, caption.text) for name in picked]
        comparison.draw(answers)
