"""Every failure becomes a sentence on the page: known errors have their own, others a general one, never a traceback."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from components.shared.escaping import for_markdown
from models.errors import user_message

_log = logging.getLogger("subtext.app")

UNEXPECTED = "Something went wrong that should not have. What you entered is still here: try again, or change it."


def sentence(error: Exception) -> str:
    """What to tell the user about `error`."""
    return user_message(error, UNEXPECTED, _log)


def markdown(text: str) -> str:
    """A failure's sentence as Markdown. What stands between backticks in it is a command and is drawn as code."""
    return re.sub(r"(`[^`]+`)|[^`\s]+|`", lambda match: match[1] or for_markdown(match[0]), " ".join(text.split()))


def tell(text: str) -> None:
    """Show a failure's sentence."""
    st.error(markdown(text), icon=":material/error:")


@contextmanager
def contained() -> Iterator[None]:
    """An error inside is shown in its place, and the rest of the page goes on."""
    try:
        yield
    except Exception as error:  # Streamlit's own rerun and stop signals are no Exceptions and pass
        tell(sentence(error))
