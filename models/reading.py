"""How a caption was read where its letters alone do not tell. Nothing here computes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Respelled:
    """Characters start:end of the caption, and the word or words that they are read as."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """Another way to read the caption, as `text`; where it `decided`, the verdict and all that explains it are about it.

    probability: of hate, so read; probability_as_written: of the words as they stand. The higher one decides.
    """

    text: str
    decided: bool
    probability: float
    probability_as_written: float
    changes: tuple[Respelled, ...] = ()
