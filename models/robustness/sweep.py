"""A meme under a change of rising strength: the score as a curve, and the smallest change that flips the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from PIL import Image

from models.analysis import Caption, Meme, Verdict
from models.errors import BadInput
from models.robustness import pictures, texts

Side = Literal["picture", "words"]
PictureChange = Callable[[Image.Image, float, int], Image.Image]
WordsChange = Callable[[str, float, int], str]
STEPS = 11
SEED = 7


class Scorer(Protocol):
    """The interface of `models.analyzer.Analyzer` that a sweep uses."""

    def score(self, memes: Sequence[Meme]) -> list[Verdict]:
        """One verdict a meme."""
        ...


@dataclass(frozen=True)
class Change:
    """A way to change one side of a meme; `amount` tells a strength in its own unit, for words what is counted."""

    name: str
    title: str
    side: Side
    amount: Callable[[float], str] | str
    picture: PictureChange | None = None
    words: WordsChange | None = None

    def said(self, meme: Meme, strength: float) -> str:
        """What that strength does to this very meme: "1 of 12 letters", since one letter may be much or little."""
        if not isinstance(self.amount, str):
            return self.amount(strength)
        count, places = texts.touched(self.name, meme.caption.text, strength)
        return f"{count} of {places} {self.amount}"

    def apply(self, meme: Meme, strength: float, seed: int = SEED) -> Meme:
        """The changed meme; strength 0 gives it as it is. `BadInput` where it lacks the side that is changed."""
        if not 0 <= strength <= 1:
            raise BadInput(f"A strength lies between 0 and 1, and {strength} does not.")
        if self.side == "picture":
            if meme.image is None or self.picture is None:
                raise BadInput(f"{self.title} changes the picture, and this meme has none: give one.")
            return replace(meme, image=self.picture(meme.image, strength, seed)) if strength else meme
        if not meme.caption.text.strip() or self.words is None:
            raise BadInput(f"{self.title} changes the words, and this meme has none: type some.")
        return (
            replace(meme, caption=Caption(self.words(meme.caption.text, strength, seed), "override"))
            if strength
            else meme
        )


@dataclass(frozen=True)
class Point:
    """One strength of a sweep: what the meme had become and how it was judged."""

    strength: float
    meme: Meme
    verdict: Verdict


@dataclass(frozen=True)
class Flip:
    """The smallest change found that gives another verdict than the untouched meme's."""

    point: Point
    before: Verdict
    queries: int


CHANGES: dict[str, Change] = {
    change.name: change
    for change in (
        Change(
            "pixels", "Stray pixels", "picture", lambda s: f"{s * pictures.MAX_PIXELS:.2%} of the pixels", pictures.pixels
        ),
        Change(
            "jpeg", "JPEG", "picture",
            lambda s: f"quality {pictures.BEST_QUALITY + s * (pictures.WORST_QUALITY - pictures.BEST_QUALITY):.0f}",
            pictures.jpeg,
        ),
        Change(
            "blur", "Blur", "picture", lambda s: f"sigma {s * pictures.MAX_BLUR:.1%} of the longer side", pictures.blur
        ),
        Change("noise", "Noise", "picture", lambda s: f"sigma {s * pictures.MAX_NOISE:.0f} of 255", pictures.noise),
        Change("crop", "Crop", "picture", lambda s: f"{s * pictures.MAX_CROP:.0%} of each side cut", pictures.crop),
        Change("typos", "Typos", "words", "letters", words=texts.typos),
        Change("leetspeak", "Leetspeak", "words", "letters that can be", words=texts.leetspeak),
        Change("homoglyphs", "Look-alike letters", "words", "letters that can be", words=texts.homoglyphs),
        Change("zero_width", "Zero-width letters", "words", "letters and digits", words=texts.zero_width),
        Change("emoji", "Emoji", "words", "words", words=texts.emoji),
    )
}  # fmt: skip


def fitting(meme: Meme) -> list[Change]:
    """The changes that this meme has a side for, in the order of `CHANGES`."""
    sides = {"picture": meme.image is not None, "words": bool(meme.caption.text.strip())}
    return [change for change in CHANGES.values() if sides[change.side]]


def sweep(scorer: Scorer, meme: Meme, change: Change, *, steps: int = STEPS, seed: int = SEED) -> Iterator[Point]:
    """The verdicts at `steps` strengths from 0 to 1, one after the other, so that a caller can show progress or stop."""
    if steps < 2:
        raise BadInput(f"A curve needs at least 2 strengths, not {steps}.")
    for step in range(steps):
        strength = step / (steps - 1)
        changed = change.apply(meme, strength, seed)
        yield Point(strength, changed, scorer.score([changed])[0])


def smallest_flip(
    scorer: Scorer, meme: Meme, change: Change, points: Sequence[Point], *, seed: int = SEED, halvings: int = 4
) -> Flip | None:
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
    low, flipped, queries = ordered[at - 1].strength, ordered[at], len(ordered)
    for _ in range(halvings):
        middle = (low + flipped.strength) / 2
        changed = change.apply(meme, middle, seed)
        point = Point(middle, changed, scorer.score([changed])[0])
        queries += 1
        if point.verdict.label == before.label:
            low = middle
        else:
            flipped = point
    return Flip(flipped, before, queries)
