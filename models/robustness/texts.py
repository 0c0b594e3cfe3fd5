"""Ways in which people write around a filter, each with a strength from 0 (none) to 1: the share of places changed.

The places of a weaker change are among those of a stronger one. What is changed stays readable to a person.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

# Neighbours on a QWERTY keyboard, within a row.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {letter: row[max(0, at - 1) : at] + row[at + 1 : at + 2] for row in _ROWS for at, letter in enumerate(row)}
_LEET = dict(zip("aeiostbg", "43105789", strict=True))
# Cyrillic and Greek letters that look like Latin ones.
_ALIKE = dict(zip("aceopxyiABEHKMOPTX", "асеорхуіАВЕНКМОРТХ", strict=True))
MAX_TYPOS = 1 / 3  # of the letters
_UNSEEN = ("\u200b", "\u200c", "\u2060", "\ufeff")
_EMOJI = ("😂", "🙂", "🔥", "✨", "👍", "❤️", "🎉", "🤔")


def typos(text: str, strength: float, seed: int) -> str:
    """Letters swapped with the next, left out, doubled or hit beside, in up to every third place."""
    letters = list(text)

    def slip(at: int, rng: random.Random) -> None:
        letter, kind = letters[at], rng.randrange(4)
        if kind == 0 and at + 1 < len(letters) and letters[at + 1].isalpha() and len(letters[at + 1]) == 1:
            letters[at], letters[at + 1] = letters[at + 1], letter
        elif kind == 1:
            letters[at] = ""
        elif kind == 2:
            letters[at] = letter * 2
        else:
            near = _NEAR.get(letter.lower(), "")
            letters[at] = rng.choice(near) if near else letter

    _change([at for at, letter in enumerate(letters) if letter.isalpha()], strength * MAX_TYPOS, seed, slip)
    return "".join(letters)


def leetspeak(text: str, strength: float, seed: int) -> str:
    """Digits for letters: h4t3."""
    return _replaced(text, strength, seed, lambda letter, _: _LEET.get(letter.lower(), ""))


def homoglyphs(text: str, strength: float, seed: int) -> str:
    """Letters of other scripts that look the same."""
    return _replaced(text, strength, seed, lambda letter, _: _ALIKE.get(letter, ""))


def zero_width(text: str, strength: float, seed: int) -> str:
    """Characters without width between the letters of words."""
    return _replaced(text, strength, seed, lambda letter, rng: letter + rng.choice(_UNSEEN) if letter.isalnum() else "")


def emoji(text: str, strength: float, seed: int) -> str:
    """Kind emoji after words."""
    words = text.split(" ")

    def add(at: int, rng: random.Random) -> None:
        words[at] = f"{words[at]} {rng.choice(_EMOJI)}"

    _change([at for at, word in enumerate(words) if word], strength, seed, add)
    return " ".join(words)


def touched(name: str, text: str, strength: float) -> tuple[int, int]:
    """How many places of a text the change of that name alters at a strength, and how many it could.

    >>> touched("leetspeak", "tea", 0.1)  # at least one
    (1, 3)
    """
    if name == "emoji":
        places = len([word for word in text.split(" ") if word])
    else:
        places = sum(_COUNTED[name](letter) for letter in text)
    return _count(places, strength * (MAX_TYPOS if name == "typos" else 1)), places


_COUNTED: dict[str, Callable[[str], bool]] = {
    "typos": str.isalpha,
    "leetspeak": lambda letter: letter.lower() in _LEET,
    "homoglyphs": lambda letter: letter in _ALIKE,
    "zero_width": str.isalnum,
}


def _count(places: int, share: float) -> int:
    return min(places, max(1, round(share * places))) if share > 0 else 0


def _replaced(text: str, strength: float, seed: int, by: Callable[[str, random.Random], str]) -> str:
    letters = list(text)

    def put(at: int, rng: random.Random) -> None:
        letters[at] = by(letters[at], rng)

    _change([at for at, letter in enumerate(letters) if by(letter, random.Random(0))], strength, seed, put)
    return "".join(letters)


def _change(places: Sequence[int], share: float, seed: int, change: Callable[[int, random.Random], None]) -> None:
    """Changes that share of the places, in an order drawn by the seed; at least one where the share is not 0."""
    order = list(places)
    random.Random(seed).shuffle(order)
    for at in sorted(order[: _count(len(order), share)]):
        change(at, random.Random(seed * 1_000_003 + at))
