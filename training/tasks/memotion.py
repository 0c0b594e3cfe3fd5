"""Memotion 7k (Sharma et al. 2020, SemEval 2020 task 8): A sentiment, B types, C their intensities; and polarity."""

from collections.abc import Sequence
from typing import Any

from models.classifiers.heads import Target
from training.datasets.base import Row
from training.datasets.memotion import ASPECTS, MEMOTION
from training.tasks.base import HeadTask, TaskGroup, unknown_label

SENTIMENTS = ("negative", "neutral", "positive")
GRADES = ("very_negative", "negative", "neutral", "positive", "very_positive")
LEVELS = {
    "humour": ("not_funny", "funny", "very_funny", "hilarious"),
    "sarcasm": ("not_sarcastic", "general", "twisted_meaning", "very_twisted"),
    "offence": ("not_offensive", "slight", "very_offensive", "hateful_offensive"),
    "motivation": ("not_motivational", "motivational"),
}
"""Each aspect's levels from the lowest on."""
COLUMNS = dict(zip(LEVELS, ASPECTS, strict=False))  # the column of `offence` is `offensive`
declared: dict[str, Any] = {"dataset": MEMOTION, "model": "memotion_gmu"}


def _level(row: Row, aspect: str) -> str | None:
    value = row.details.get(COLUMNS[aspect])
    return str(value) if value else None


def sentiment_labels(row: Row) -> Sequence[str | None] | None:
    """Very negative counts as negative, very positive as positive, as in the shared task."""
    if not row.label:
        return None
    if row.label not in GRADES:
        raise unknown_label(row, row.label, "sentiment", GRADES)
    return [str(row.label).removeprefix("very_")]


def polarity_labels(row: Row) -> Sequence[str | None] | None:
    """Neutral rows have no label."""
    labels = sentiment_labels(row)
    return None if labels is None or labels[0] == "neutral" else labels


def type_labels(row: Row) -> Sequence[str | None]:
    """An aspect is present at any level above the lowest."""
    labels: list[str | None] = []
    for aspect, levels in LEVELS.items():
        level = _level(row, aspect)
        if level is not None and level not in levels:
            raise unknown_label(row, level, aspect, levels)
        labels.append(level if level is None or level == levels[0] else aspect)
    return labels


INTENSITIES = tuple(
    HeadTask(
        **declared,
        name=f"memotion-{aspect}",
        title=f"How strong: {aspect}",
        columns=(COLUMNS[aspect],),
        kind="ordinal" if len(levels) > 2 else "binary",
        targets=(Target(aspect, levels),),
        labels=lambda row, aspect=aspect: [_level(row, aspect)],  # type: ignore[misc]
    )
    for aspect, levels in LEVELS.items()
)

TASKS = (
    HeadTask(
        **declared,
        name="memotion-sentiment",
        title="Overall sentiment of a meme",
        columns=("overall_sentiment",),
        kind="single",
        targets=(Target("sentiment", SENTIMENTS),),
        labels=sentiment_labels,
    ),
    HeadTask(
        **declared,
        name="memotion-types",
        title="Is a meme meant to be funny, sarcastic, offensive, motivational",
        columns=tuple(COLUMNS.values()),
        kind="multi",
        targets=tuple(Target(aspect, (levels[0], aspect)) for aspect, levels in LEVELS.items()),
        labels=type_labels,
    ),
    TaskGroup(
        **declared,
        name="memotion-intensity",
        title="How funny, sarcastic, offensive and motivational a meme is",
        columns=tuple(COLUMNS.values()),
        members=INTENSITIES,
    ),
    HeadTask(
        **declared,
        name="memotion-polarity",
        title="Positive against negative; neutral memes are left out",
        columns=("overall_sentiment",),
        kind="binary",
        targets=(Target("polarity", ("negative", "positive")),),
        labels=polarity_labels,
    ),
)
