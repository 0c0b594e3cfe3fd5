"""A meme under a change of rising strength: the score as a curve, and the smallest change that flips the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.analysis import Meme, Verdict
from models.errors import BadInput
from models.robustness.changes import Change

if TYPE_CHECKING:
    from models.analyzer import Analyzer

STEPS = 11
HALVINGS = 4  # of the distance between two strengths, to refine a flip


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


def sweep(analyzer: Analyzer, meme: Meme, change: Change, *, steps: int = STEPS) -> Iterator[Point]:
    """The verdicts at `steps` strengths from 0 to 1, one after the other, so that a caller can show progress or stop."""
    if steps < 2:
        raise BadInput(f"A curve needs at least 2 strengths, not {steps}.")
    for step in range(steps):
        yield _point(analyzer, meme, change, step / (steps - 1))


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
        point = _point(analyzer, meme, change, (low + flipped.strength) / 2)
        if point.verdict.label == before.label:
            low = point.strength
        else:
            flipped = point
    return Flip(flipped, before, len(ordered) + HALVINGS)


def _point(analyzer: Analyzer, meme: Meme, change: Change, strength: float) -> Point:
    changed = change.apply(meme, strength)
    return Point(strength, changed, analyzer.score([changed])[0])
