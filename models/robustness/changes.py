"""Changes of a meme, each with a strength from 0 (none) to 1.

Of the picture: what people would hardly mind, as one function of the picture, the strength and a seed, so that a curve can
be drawn again. Of the words: ways in which people write around a filter; the strength is the share of places changed, and
the places of a weaker change are among those of a stronger one. What is changed stays readable to a person.

A sweep judges a meme at rising strengths of a change and finds the smallest change that flips the verdict.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image, ImageFilter

from models.analysis import Caption, Meme, Verdict
from models.errors import BadInput
from models.io.images import IN_FLIGHT, area

if TYPE_CHECKING:
    from models.analyzer import Analyzer

SEED = 7
MAX_NOISE = 100.0  # standard deviation in steps of 255
MAX_BLUR = 0.03  # sigma as a share of the longer side
MAX_CROP = 0.6  # of each side
MAX_PIXELS = 0.02  # share of the picture's pixels
BAND = 256  # rows of a picture that get their noise at a time
BEST_QUALITY, WORST_QUALITY = 95, 3
STEPS = 11  # strengths of a sweep
COPIES = 3  # of the picture that a change has in memory at a time
HALVINGS = 4  # of the distance between two strengths, to refine a flip

# Neighbours on a QWERTY keyboard, within a row.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {letter: row[max(0, at - 1) : at] + row[at + 1 : at + 2] for row in _ROWS for at, letter in enumerate(row)}
_LEET = dict(zip("aeiostbg", "43105789", strict=True))
# Cyrillic letters that look like Latin ones.
_ALIKE = dict(zip("aceopxyiABEHKMOPTX", "асеорхуіАВЕНКМОРТХ", strict=True))
_UNSEEN = ("\u200b", "\u200c", "\u2060", "\ufeff")
_EMOJI = ("😂", "🙂", "🔥", "✨", "👍", "❤️", "🎉", "🤔")


@dataclass(frozen=True)
class Change:
    """A way to change one side of a meme.

    `amount` tells a strength in the change's own unit; for words it names what is counted. `make(picture or text, strength, seed)`
    gives the changed picture or text.
    """

    name: str
    title: str
    side: Literal["picture", "words"]
    amount: Callable[[float], str] | str
    make: Callable[[Any, float, int], Any]

    def describe(self, meme: Meme, strength: float) -> str:
        """What this strength does to this meme, such as "1 of 12 letters"."""
        if not isinstance(self.amount, str):
            return self.amount(strength)
        count, places = self.make.touched(meme.caption.text, strength)  # type: ignore[attr-defined]
        return f"{count} of {places} {self.amount}"

    def fits(self, meme: Meme) -> bool:
        """Whether the meme has the side that is changed."""
        return meme.image is not None if self.side == "picture" else bool(meme.caption.text.strip())

    def apply(self, meme: Meme, strength: float, seed: int = SEED) -> Meme:
        """The changed meme; strength 0 gives it as it is. `BadInput` where it lacks the side that is changed."""
        if not 0 <= strength <= 1:
            raise BadInput(f"A strength lies between 0 and 1, and {strength} does not.")
        if not self.fits(meme):
            remedy = "give one" if self.side == "picture" else "type some"
            raise BadInput(f"{self.title} changes the {self.side}, and this meme has none: {remedy}.")
        if not strength:
            return meme
        if self.side == "picture":
            return replace(meme, image=self.make(meme.image, strength, seed))
        return replace(meme, caption=Caption(self.make(meme.caption.text, strength, seed), "override"))


def pixels(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Single pixels set to random colours; those of a weaker change are among those of a stronger one."""
    rng = np.random.default_rng(seed)
    most = max(1, round(MAX_PIXELS * image.width * image.height))
    places, colours = rng.integers(image.width * image.height, size=most), rng.integers(256, size=(most, 3))
    count = round(strength * most)
    data = np.array(image.convert("RGB"))
    data.reshape(-1, 3)[places[:count]] = colours[:count]
    return Image.fromarray(data)


def jpeg(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Saved as JPEG and read again: quality 95 down to 3."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=round(quality(strength)))
    with Image.open(buffer) as opened:
        return opened.convert("RGB")


def quality(strength: float) -> float:
    """JPEG's quality at a strength."""
    return BEST_QUALITY + strength * (WORST_QUALITY - BEST_QUALITY)


def blur(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Gaussian blur, up to a sigma of 3% of the longer side."""
    return image.filter(ImageFilter.GaussianBlur(strength * MAX_BLUR * max(image.size)))


def noise(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Gaussian noise on every channel, up to a standard deviation of 100 of 255 steps."""
    data, rng = np.array(image.convert("RGB")), np.random.default_rng(seed)
    for top in range(0, len(data), BAND):
        rows = data[top : top + BAND]
        grain = rng.standard_normal(rows.shape, np.float32)
        rows[:] = np.clip(rows + strength * MAX_NOISE * grain, 0, 255).round()
    return Image.fromarray(data)


def crop(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """The middle of the picture, up to 60% of each side cut away, at the old size."""
    margin = strength * MAX_CROP / 2  # fraction of a side
    width, height = image.size
    box = (margin * width, margin * height, width - margin * width, height - margin * height)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


@dataclass(frozen=True)
class TextChange:
    """Changes single letters, or words where `separator` is a blank; at full strength `most` of those that `fits` names.

    `alter(items, at, rng)` changes the item at one place.
    """

    fits: Callable[[str], bool]
    alter: Callable[[list[str], int, random.Random], None]
    separator: str = ""
    most: float = 1.0

    def __call__(self, text: str, strength: float, seed: int) -> str:
        """The text at a strength, in an order of places drawn by the seed; at least one place where it is not 0."""
        items = self._items(text)
        order = [at for at, item in enumerate(items) if self.fits(item)]
        random.Random(seed).shuffle(order)
        for at in sorted(order[: self.touched(text, strength)[0]]):
            self.alter(items, at, random.Random(seed * 1_000_003 + at))
        return self.separator.join(items)

    def touched(self, text: str, strength: float) -> tuple[int, int]:
        """How many places of a text are altered at a strength, and how many could be.

        >>> leetspeak.touched("tea", 0.1)  # at least one
        (1, 3)
        """
        places = sum(map(self.fits, self._items(text)))
        return min(places, max(1, round(strength * self.most * places))) if strength > 0 else 0, places

    def _items(self, text: str) -> list[str]:
        return text.split(self.separator) if self.separator else list(text)


def _slip(letters: list[str], at: int, rng: random.Random) -> None:
    """Swaps a letter with the next, leaves it out, doubles it or hits the key beside it."""
    letter, kind = letters[at], rng.randrange(4)
    if kind == 0 and at + 1 < len(letters) and letters[at + 1].isalpha():
        letters[at], letters[at + 1] = letters[at + 1], letter
    elif kind == 1:
        letters[at] = ""
    elif kind == 2:
        letters[at] = letter * 2
    else:
        near = _NEAR.get(letter.lower(), "")
        letters[at] = rng.choice(near) if near else letter


def _each(change: Callable[[str, random.Random], str]) -> Callable[[list[str], int, random.Random], None]:
    """Changes an item whatever stands beside it."""

    def alter(items: list[str], at: int, rng: random.Random) -> None:
        items[at] = change(items[at], rng)

    return alter


typos = TextChange(str.isalpha, _slip, most=1 / 3)
leetspeak = TextChange(lambda letter: letter.lower() in _LEET, _each(lambda letter, _: _LEET[letter.lower()]))
homoglyphs = TextChange(_ALIKE.__contains__, _each(lambda letter, _: _ALIKE[letter]))
zero_width = TextChange(str.isalnum, _each(lambda letter, rng: letter + rng.choice(_UNSEEN)))
emoji = TextChange(bool, _each(lambda word, rng: f"{word} {rng.choice(_EMOJI)}"), separator=" ")


CHANGES: dict[str, Change] = {
    change.name: change
    for change in (
        Change("pixels", "Stray pixels", "picture", lambda s: f"{s * MAX_PIXELS:.2%} of the pixels", pixels),
        Change("jpeg", "JPEG", "picture", lambda s: f"quality {quality(s):.0f}", jpeg),
        Change("blur", "Blur", "picture", lambda s: f"sigma {s * MAX_BLUR:.1%} of the longer side", blur),
        Change("noise", "Noise", "picture", lambda s: f"sigma {s * MAX_NOISE:.0f} of 255", noise),
        Change("crop", "Crop", "picture", lambda s: f"{s * MAX_CROP:.0%} of each side cut", crop),
        Change("typos", "Typos", "words", "letters", typos),
        Change("leetspeak", "Leetspeak", "words", "letters that can be", leetspeak),
        Change("homoglyphs", "Look-alike letters", "words", "letters that can be", homoglyphs),
        Change("zero_width", "Zero-width letters", "words", "letters and digits", zero_width),
        Change("emoji", "Emoji", "words", "words", emoji),
    )
}


def fitting(meme: Meme) -> list[Change]:
    """The changes that this meme has a side for, in the order of `CHANGES`."""
    return [change for change in CHANGES.values() if change.fits(meme)]


@dataclass(frozen=True)
class Point:
    """One strength of a sweep and how the meme was judged; `Change.apply` makes the changed meme again."""

    strength: float
    verdict: Verdict


@dataclass(frozen=True)
class Flip:
    """The smallest change found that gives another verdict than the untouched meme's."""

    point: Point
    before: Verdict
    queries: int


def judge(analyzer: Analyzer, meme: Meme, change: Change, strength: float) -> tuple[Meme, Verdict]:
    """The changed meme and its verdict. Waits while this process answers as many large pictures as it has memory for."""
    with IN_FLIGHT.take(COPIES * area(meme.image)):
        changed = change.apply(meme, strength)
        return changed, analyzer.score([changed])[0]


def sweep(analyzer: Analyzer, meme: Meme, change: Change, *, steps: int = STEPS) -> Iterator[Point]:
    """The verdicts at `steps` strengths from 0 to 1, one after the other, so that a caller can show progress or stop."""
    if steps < 2:
        raise BadInput(f"A curve needs at least 2 strengths, not {steps}.")
    for step in range(steps):
        strength = step / (steps - 1)
        yield Point(strength, judge(analyzer, meme, change, strength)[1])


def smallest_flip(analyzer: Analyzer, meme: Meme, change: Change, points: Sequence[Point]) -> Flip | None:
    """The weakest change with another label, refined by halving between two strengths of the curve; None if none has.

    The curve need not be monotone: between the first flipped strength and the one before it another flip may hide.
    """
    ordered = sorted(points, key=lambda point: point.strength)
    if not ordered:
        return None
    before = ordered[0].verdict
    at = next((number for number, point in enumerate(ordered) if point.verdict.label != before.label), None)
    if at is None:
        return None
    low, flipped = ordered[at - 1].strength, ordered[at]
    for _ in range(HALVINGS):
        strength = (low + flipped.strength) / 2
        verdict = judge(analyzer, meme, change, strength)[1]
        if verdict.label == before.label:
            low = strength
        else:
            flipped = Point(strength, verdict)
    return Flip(flipped, before, len(ordered) + HALVINGS)
