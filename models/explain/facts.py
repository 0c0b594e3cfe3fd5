"""Writing numbers and quotations down so that each number in a text can be traced to what was measured.

A fact's name is the path of its value in the `Analysis` (`emotions.text.scores[2].probability`). Four endings stand for
a value that follows from others:

    X.count                       how many items X holds
    X.text.number[k]              the k-th number inside the quotation of X.text, as the text shows it
    X.probability_without         sigmoid(verdict.logit - X.effect)
    verdict.distance_to.BAND      |verdict.probability - verdict.bands.BAND|
"""

import re
import tomllib
import unicodedata
from collections.abc import Sized
from pathlib import Path
from typing import Any

from models.analysis import Fact
from models.io.directions import isolated
from models.io.graphemes import shorten

SENTENCES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8"))
MAX_QUOTE = 32  # characters
_JOINERS = "\u200c\u200d"
_SHOWN = {"Cc": " ", "Zl": " ", "Zp": " ", "Cf": "", "Cs": ""}  # by Unicode category; all others as they are
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Ledger:
    """Turns values into their printed form and keeps each as a fact, in the order of the text."""

    def __init__(self) -> None:
        self._facts: dict[str, float] = {}

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts so far, in the order of the text."""
        return tuple(Fact(name, value) for name, value in self._facts.items())

    def plain(self, name: str, value: float) -> str:
        """Two decimals: 0.81, never -0.00."""
        self._facts[name] = value
        return f"{value:z.2f}"

    def signed(self, name: str, value: float) -> str:
        """Two decimals with their sign, for what moved a score: +1.20."""
        printed = self.plain(name, value)
        return printed if printed.startswith("-") or printed == "0.00" else f"+{printed}"

    def count(self, name: str, items: Sized) -> str:
        """How many items there are: 3."""
        self._facts[f"{name}.count"] = float(len(items))
        return str(len(items))

    def quote(self, name: str, text: str) -> str:
        """The words in quotation marks; numbers inside them are facts of their own."""
        shown = shortened(text)
        for place, match in enumerate(_NUMBER.finditer(shown)):
            self._facts[f"{name}.number[{place}]"] = float(match[0])
        return f"“{isolated(shown)}”"


def shortened(text: str) -> str:
    """Words of the caption on one line, cut to `MAX_QUOTE` characters, safe between quotation marks.

    Line breaks and control characters become blanks and direction marks go, so that a caption cannot rearrange the
    sentence around it; the joiners in words and emoji stay.
    """
    visible = "".join(c if c in _JOINERS else _SHOWN.get(unicodedata.category(c), c) for c in text)
    line = re.sub('[“”„"]', "'", " ".join(visible.split()))
    return shorten(line, MAX_QUOTE)


def joined(parts: list[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
