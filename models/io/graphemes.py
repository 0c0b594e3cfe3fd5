"""Graphemes, what people see as one letter: a letter with its marks, a conjunct, an emoji of several (Unicode Annex 29).

A caption is never cut inside one of them.
"""

from bisect import bisect_left, bisect_right
from functools import cached_property

import regex

from models.analysis import Span

_GRAPHEME = regex.compile(r"\X")


class Graphemes:
    """Where the graphemes of a text begin and end, in characters."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def edges(self) -> list[int]:
        """0, the end of each grapheme, and so the length of the text."""
        return [0, *(match.end() for match in _GRAPHEME.finditer(self._text))]

    def end(self, at: int) -> int:
        """`at`, or the end of the grapheme that it lies inside of."""
        return self.edges[bisect_left(self.edges, at)]

    def widen(self, start: int, end: int) -> Span:
        """The span with all of the graphemes that it begins and ends in."""
        return self.edges[bisect_right(self.edges, start) - 1], self.end(end)


def first(text: str, limit: int) -> str:
    """The whole graphemes at the beginning of a text that have at most `limit` characters together."""
    if len(text) <= limit:
        return text
    end = 0
    for match in _GRAPHEME.finditer(text):
        if match.end() > limit:
            break
        end = match.end()
    return text[:end]


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else first(text, limit - 1).rstrip() + "…"
