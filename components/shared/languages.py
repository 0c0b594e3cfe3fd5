"""What is said of the language of the words beside parts of an analysis that learned from English."""

import streamlit as st

from models.io.language import foreign_name

NOTE = "{what} learned from English: on words that look {language} it is a guess."


def draw_note(code: str | None, what: str) -> None:
    """That `what` is guessing, where the words are in another language than English."""
    if language := foreign_name(code):
        st.caption(f":material/translate: {NOTE.format(what=what, language=language)}")
