"""The error tree, where each text is one sentence that tells the user what to do, and how such sentences are made."""

import difflib
import logging
import traceback
from collections.abc import Callable, Iterable
from typing import TypeVar

Model = TypeVar("Model")
MAX_LISTED, MAX_SIMILAR = 30, 5  # a hint lists up to 30 known names, of more the 5 most similar


class SubtextError(Exception):
    """Anything raised on purpose; its text is a sentence that a user can act on."""


class BadInput(SubtextError):
    """What the user gave cannot be used as it is."""


class BadPicture(BadInput):
    """The bytes are not a picture that can be opened safely."""


class BadCaption(BadInput):
    """The words cannot be read as a caption."""


class EmptyMeme(BadInput):
    """Neither a picture nor words were given."""


class BadWeights(SubtextError):
    """A folder in weights/ is missing, damaged or does not fit the code."""


class PartUnavailable(SubtextError):
    """One part (OCR, faces, ...) cannot run on this machine; the rest still can."""


def load_or_error(load: Callable[[], Model]) -> Model | SubtextError:
    """The model, or the error that says why it cannot be loaded."""
    try:
        return load()
    except SubtextError as error:
        return error


def require(model: Model | SubtextError) -> Model:
    """The model; raises the error that kept it from loading."""
    if isinstance(model, SubtextError):
        raise type(model)(*model.args)  # a new one: a raised exception holds its frames, and these hold the meme
    return model


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, None if none is similar."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint to put after "There is no ... NAME.": the nearest known name, else the list of known names.

    >>> suggest("gatd", ["early", "gated"])
    " Did you mean 'gated'?"
    >>> suggest("words", ["early", "gated"])
    ' There are: early, gated.'
    """
    names = sorted(known) if isinstance(known, set | frozenset) else list(known)
    match = nearest(name, names)
    if match is not None:
        return f" Did you mean {match!r}?"
    if len(names) > MAX_LISTED:
        similar = difflib.get_close_matches(name, names, n=MAX_SIMILAR, cutoff=0)
        return f" There are {len(names)}, of which the nearest are: {', '.join(similar)}."
    return f" There are: {', '.join(names)}."


def user_message(error: BaseException, unexpected: str, log: logging.Logger) -> str:
    """The sentence of a `SubtextError`; for any other exception `unexpected`.

    Only the kind and the place of an unexpected exception are logged: its message may quote the caption.
    """
    if isinstance(error, SubtextError):
        return str(error)
    log.error("%s at %s", type(error).__name__, error_location(error))
    return unexpected


def error_location(error: BaseException) -> str:
    """`FILE:LINE` where the exception was raised, "?" if it has no traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
