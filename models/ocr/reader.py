"""What reading a picture gives: the protocol `Reader`, and lines that keep how sure each word is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from models.analysis import Line


@dataclass(frozen=True)
class ReadWord:
    """Characters start:end of the line's text and the reader's confidence in them, 0-1."""

    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class ReadLine(Line):
    """A `Line` whose reader also tells how sure it is of each word. `captions.from_lines` makes spans of it."""

    words: tuple[ReadWord, ...] = ()


class Reader(Protocol):
    """Finds the words on a picture. Thread-safe."""

    def read(self, image: Image.Image) -> list[Line]:
        """Lines in reading order, boxes in pixels of `image`; an empty list where there are no words.

        Raises `PartUnavailable` where the reader cannot run on this machine.
        """
        ...
