"""Every trained system under one form: memes in, for each a category and the scores that it was chosen by.

What an analyzer carries is a system: its verdict, its further answers and, where it has them, its lenses. The API's
`/systems/{name}/predict` and the batch's `--systems` go by this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.analysis import Emotion, Meme, Status
from models.errors import nearest
from serving.problems import NoSystem

if TYPE_CHECKING:
    from models.analyzer import Analyzer


@dataclass(frozen=True)
class Answered:
    """One question's answer, of a system that has several."""

    task: str
    question: str
    category: str
    scores: tuple[Emotion, ...]


@dataclass(frozen=True)
class Prediction:
    """`category` is empty where `status` is not `ok`; `scores` the likeliest first; `detail` explains a failure.

    Where a system answers several questions, `answers` has each, and `category` names all of them.
    """

    status: Status
    category: str = ""
    scores: tuple[Emotion, ...] = ()
    detail: str = ""
    answers: tuple[Answered, ...] = ()


@dataclass(frozen=True)
class System:
    """`predict` gives one prediction a meme, batched where the models can; `reads` says what it looks at."""

    name: str
    summary: str
    reads: str
    labels: tuple[str, ...]
    predict: Callable[[Sequence[Meme]], list[Prediction]]


def registry(analyzer: Analyzer) -> Mapping[str, System]:
    """The systems of this analyzer by name: what it answers itself, and the trained systems in `weights/`."""
    from serving import trained

    found = [_hate(analyzer), _harm(analyzer), _text_emotions(analyzer), _face_expressions(analyzer)]
    return {system.name: system for system in (*found, *trained.systems(analyzer))}


def choose(systems: Mapping[str, System], name: str) -> System:
    """The system of that name; `NoSystem` names those that there are."""
    if name not in systems:
        match = nearest(name, systems)
        hint = f"Did you mean {match}? " if match else ""
        raise NoSystem(f"There is no system of that name. {hint}There are: {', '.join(systems)}.")
    return systems[name]


def _hate(analyzer: Analyzer) -> System:
    def predict(memes: Sequence[Meme]) -> list[Prediction]:
        found = []
        for verdict in analyzer.score(memes):
            bands = verdict.bands
            score = Emotion("hateful", verdict.probability, bands.hateful_from, verdict.label == "hateful")
            found.append(Prediction("ok", verdict.label, (score,)))
        return found

    labels = ("hateful", "needs_review", "not_hateful")
    return System(
        "hate", "Does it attack people for what they are? The app's verdict.", "picture, words", labels, predict
    )


def _harm(analyzer: Analyzer) -> System:
    def predict(memes: Sequence[Meme]) -> list[Prediction]:
        threshold, found = analyzer.threshold("harm"), []
        for harm in analyzer.harm(memes):
            yes = harm.probability >= threshold
            score = Emotion("harmful", harm.probability, threshold, yes)
            found.append(Prediction("ok", "harmful" if yes else "not_harmful", (score,)))
        return found

    summary = "Would HarMeme's annotators call it harmful?"
    return System("harm", summary, "picture, words", ("harmful", "not_harmful"), predict)


def _text_emotions(analyzer: Analyzer) -> System:
    from models.emotions.text import LABELS

    def predict(memes: Sequence[Meme]) -> list[Prediction]:
        read = analyzer.text_emotions([meme.caption.text for meme in memes])
        return [Prediction(one.status, _likeliest(one.scores), one.scores, one.detail) for one in read]

    return System("text-emotions", "The emotion that the words carry (GoEmotions).", "words", LABELS, predict)


def _face_expressions(analyzer: Analyzer) -> System:
    from models.emotions.expressions import LABELS

    def predict(memes: Sequence[Meme]) -> list[Prediction]:
        found = []
        for meme in memes:
            seen = analyzer.faces(meme)
            if not seen.faces:
                found.append(Prediction(seen.status, detail=seen.detail))
                continue
            likeliest = seen.faces[0].expressions[0].label  # of the largest face
            scores = (
                Emotion(one.label, one.probability, 0.0, one.label == likeliest) for one in seen.faces[0].expressions
            )
            found.append(Prediction("ok", likeliest, tuple(scores)))
        return found

    return System("face-expressions", "The expression of the largest face (FER-2013).", "picture", LABELS, predict)


def _likeliest(scores: Sequence[Emotion]) -> str:
    return max(scores, key=lambda score: score.probability).label if scores else ""
