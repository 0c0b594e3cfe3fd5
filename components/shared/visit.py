"""What one visitor is looking at. It lives in `st.session_state` and nowhere else.

Results are kept here rather than in `st.cache_data`, which every visitor shares: a cache across visitors would keep
captions and pictures past the visit that they belong to, and its timing would tell one visitor what another has asked.
Within a visit the last few results are kept, so that going back to an earlier caption costs nothing.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from models.analysis import Analysis, Caption, Stage

if TYPE_CHECKING:
    from models.io.images import Picture

MAX_RESULTS = 6
_KEY = "visit"


@dataclass(frozen=True)
class Reading:
    """What the OCR made of a picture: its caption, its time, and a sentence where it could not run."""

    caption: Caption
    stage: Stage
    problem: str = ""


@dataclass
class Visit:
    """One visitor's meme. `override` is None as long as the OCR's words stand; an empty one means "no words".

    `problem` is what was wrong with the last thing given, `kept_words` the words that came with it; `number` counts
    memes, so that widgets of the last one are not taken for those of this one.
    """

    picture: Picture | None = None
    override: str | None = None
    alt: str = ""
    reading: Reading | None = None
    results: OrderedDict[Hashable, Analysis] = field(default_factory=OrderedDict)
    problem: str = ""
    kept_words: str | None = None
    number: int = 0

    @property
    def empty(self) -> bool:
        """Nothing to look at yet."""
        return self.picture is None and self.override is None

    @property
    def words(self) -> str:
        """The words as they stand in the editable box."""
        if self.override is not None:
            return self.override
        return self.reading.caption.text if self.reading else ""

    @property
    def name(self) -> str:
        """Eight hexadecimal digits that name this meme: safe in a file name, and they tell nothing about it."""
        source = self.picture.sha256 if self.picture else hashlib.sha256(self.words.encode()).hexdigest()
        return source[:8]

    def take(self, picture: Picture | None, words: str | None, alt: str = "") -> None:
        """Look at another meme: whatever belonged to the last one is forgotten."""
        self.picture, self.override, self.alt = picture, words, alt
        self.reading, self.problem, self.kept_words = None, "", None
        self.results.clear()
        self.number += 1

    def keep(self, key: Hashable, analysis: Analysis) -> None:
        """Keep a result for as long as this meme is looked at, the last few of them."""
        self.results[key] = analysis
        self.results.move_to_end(key)
        while len(self.results) > MAX_RESULTS:
            self.results.popitem(last=False)


def current() -> Visit:
    """The visit of whoever is looking."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Visit()
    visit: Visit = st.session_state[_KEY]
    return visit
