"""Words from a meme are data, never markup: one function for each markup language of the page."""

import html
import re

from models.io import graphemes

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&@^])")  # all that Markdown, GFM and Streamlit's TeX give a meaning
_WORD_JOINER = "\u2060"


def for_html(text: str) -> str:
    """Text for the inside of an element or of a quoted attribute."""
    return html.escape(text, quote=True)


def for_plotly(text: str) -> str:
    """Text for a chart's labels, which plotly reads as a small HTML of its own."""
    return html.escape(text, quote=False)


def for_markdown(text: str) -> str:
    """Text for a label that Streamlit reads as Markdown.

    A backslash escapes punctuation. Streamlit looks for directives (`:red[..]`, `:material/..:`) after it has removed the
    backslashes, so an invisible word joiner separates each colon from what follows.
    """
    flat = " ".join(text.split())
    return _MARKDOWN.sub(r"\\\1", flat).replace(":", f":{_WORD_JOINER}")


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of whole graphemes, with an ellipsis where something was cut."""
    return graphemes.shorten(text, limit)
