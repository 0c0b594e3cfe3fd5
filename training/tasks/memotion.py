"""Memotion 7k (Sharma et al. 2020, SemEval 2020 task 8): A sentiment, B types, C their intensities; and polarity."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifiers.heads import Question
from training.datasets.base import Row
from training.tasks.base import Task, outside, yes_or_no

SENTIMENTS = ("negative", "neutral", "positive")
GRADES = ("very_negative", "negative", "neutral", "positive", "very_positive")
LEVELS = {
    "humour": ("not_funny", "funny", "very_funny", "hilarious"),
    "sarcasm": ("not_sarcastic", "general", "twisted_meaning", "very_twisted"),
    "offence": ("not_offensive", "slight", "very_offensive", "hateful_offensive"),
    "motivation": ("not_motivational", "motivational"),
}
"""Each aspect's levels from the lowest on; the column of `offence` is `offensive`, that of `motivation` `motivational`."""
COLUMNS = {"humour": "humour", "sarcasm": "sarcasm", "offence": "offensive", "motivation": "motivational"}


def _level(row: Row, aspect: str) -> str | None:
    value = row.details.get(COLUMNS[aspect])
    return str(value) if value else None


def sentiment(row: Row) -> Sequence[str | None] | None:
    """Very negative counts as negative, very positive as positive, as in the shared task."""
    if not row.label:
        return None
    if row.label not in GRADES:
        raise outside(row, row.label, "sentiment", GRADES)
    return [str(row.label).removeprefix("very_")]


def polarity(row: Row) -> Sequence[str | None] | None:
    """Neutral rows are not asked."""
    given = sentiment(row)
    return None if given is None or given[0] == "neutral" else given


def types(row: Row) -> Sequence[str | None]:
    """Present at any level above the lowest."""
    found: list[str | None] = []
    for aspect, levels in LEVELS.items():
        level = _level(row, aspect)
        if level is not None and level not in levels:
            raise outside(row, level, aspect, levels)
        found.append(level if level is None or level == levels[0] else aspect)
    return found


def intensity(row: Row) -> Sequence[str | None]:
    """The level of each aspect; motivation has two."""
    return [_level(row, aspect) for aspect in LEVELS]


TASKS = (
    Task(
        "memotion-sentiment", "memotion", "single", (Question("sentiment", SENTIMENTS),), sentiment,
        "Overall sentiment of a meme",
    ),
    Task(
        "memotion-types", "memotion", "multi",
        tuple(yes_or_no(aspect, levels[0], aspect) for aspect, levels in LEVELS.items()), types,
        "Is a meme meant to be funny, sarcastic, offensive, motivational",
    ),
    Task(
        "memotion-polarity", "memotion", "binary", (yes_or_no("polarity", "negative", "positive"),), polarity,
        "Positive against negative; neutral memes are left out",
    ),
    *(
        Task(
            f"memotion-{aspect}", "memotion", "ordinal" if len(levels) > 2 else "binary", (Question(aspect, levels),),
            lambda row, aspect=aspect: [_level(row, aspect)],  # type: ignore[misc]
            f"How strong: {aspect}",
        )
        for aspect, levels in LEVELS.items()
    ),
)  # fmt: skip
INTENSITY = tuple(f"memotion-{aspect}" for aspect in LEVELS)
"""`memotion-intensity` is these four together."""
