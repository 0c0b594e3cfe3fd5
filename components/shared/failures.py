"""What goes wrong becomes a sentence: known failures their own, unknown ones a general one, never a traceback."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from components.shared.escaping import for_markdown
from models.errors import SubtextError

_log = logging.getLogger("subtext.app")

UNEXPECTED = "Something went wrong that should not have. What you entered is still here: try again, or change it."


def sentence(error: Exception) -> str:
    """What to tell the user about `error`. An unknown one is logged by its kind and place, without its message:
    messages may quote the caption."""
    if isinstance(error, SubtextError):
        return str(error)
    place, trace = "?", error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    _log.error("%s at %s", type(error).__name__, place)
    return UNEXPECTED


def tell(text: str) -> None:
    """Show a failure's sentence. A command in it stands between backticks, and as code it can be copied as it is."""
    said = re.sub(r"(`[^`]+`)|[^`\s]+|`", lambda found: found[1] or for_markdown(found[0]), " ".join(text.split()))
    st.error(said, icon=":material/error:")


@contextmanager
def contained() -> Iterator[None]:
    """Whatever fails inside is told in its own place, and the rest of the page goes on."""
    try:
        yield
    except Exception as error:  # Streamlit's own rerun and stop signals are no Exceptions and pass
        tell(sentence(error))
