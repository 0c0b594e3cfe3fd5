"""Every model that gives a category, under one interface: memes in, a `Prediction` for each.

These are the analyzer's own answers (verdict, harm, text emotions, face expressions) and the multitask models in
`weights/` (folders whose card says `"kind": "system"`). The route `/systems/{name}/predict` and the batch's option
`--systems` choose from this registry.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from models import weights
from models.analysis import Emotion, Label, Meme, Status
from models.classifiers import targets
from models.errors import nearest
from models.io.captions import normalize
from models.lenses import SPECS, names_of
from serving.problems import NoSystem
from serving.schemas import Answered

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from models.classifiers.multitask import Answer, MultitaskModel
    from models.encoders.base import Encoder

_log = logging.getLogger("subtext.systems")

LENSES: dict[str, tuple[str, ...]] = {"group": targets.TARGETS, "kind": targets.KINDS}
"""Lenses that are predictors by their own names, with the labels of their scores."""
VERDICTS = ("hateful", "needs_review", "not_hateful")
# Loaded multitask models by encoder, so that they are released together with it.
_loaded: WeakKeyDictionary[Encoder, dict[str, MultitaskModel | None]] = WeakKeyDictionary()
_damaged: dict[str, list[tuple[str, int, int]]] = {}  # the files of each folder that could not be loaded
_lock = threading.Lock()


@dataclass(frozen=True)
class Prediction:
    """`category` is empty unless `status` is `ok`; `scores` are sorted, the likeliest first; `detail` explains a failure.

    A model with several targets leaves `scores` empty: `answers` has an entry for each, and `category` names all of them.
    """

    status: Status
    category: str = ""
    scores: tuple[Emotion, ...] = ()
    detail: str = ""
    answers: tuple[Answered, ...] = ()


@dataclass(frozen=True)
class Predictor:
    """`predict` returns one prediction for each meme; `reads` says which modalities it uses."""

    name: str
    summary: str
    reads: str
    labels: tuple[str, ...]
    predict: Callable[[Sequence[Meme]], list[Prediction]]


def registry(analyzer: Analyzer) -> Mapping[str, Predictor]:
    """All predictors by name. Multitask models read the tokens of profile `mini`: with another profile they are missing."""
    from models.emotions import expressions, text

    hate = "Does it attack people for what they are? The app's verdict."
    harm = "Would HarMeme's annotators call it harmful?"
    words, face = "The emotion that the words carry (GoEmotions).", "The expression of the largest face (FER-2013)."
    predictors = [
        Predictor("hate", hate, "picture, words", VERDICTS, partial(_hate, analyzer)),
        Predictor("harm", harm, "picture, words", ("harmful", "not_harmful"), partial(_harm, analyzer)),
        Predictor("text-emotions", words, "words", text.LABELS, partial(_text_emotions, analyzer)),
        Predictor("face-expressions", face, "picture", expressions.LABELS, partial(_faces, analyzer)),
    ]
    if analyzer.info.name == "mini":
        predictors += [*_lenses(analyzer), *_multitask(analyzer)]
    return {predictor.name: predictor for predictor in predictors}


def choose(predictors: Mapping[str, Predictor], name: str) -> Predictor:
    """The predictor of that name. Raises `NoSystem`, which lists the known names."""
    if name not in predictors:
        match = nearest(name, predictors)
        hint = f"Did you mean {match}? " if match else ""
        raise NoSystem(f"There is no system of that name. {hint}There are: {', '.join(predictors)}.")
    return predictors[name]


def _hate(analyzer: Analyzer, memes: Sequence[Meme]) -> list[Prediction]:
    return [
        Prediction("ok", v.label, (Emotion("hateful", v.probability, v.bands.hateful_from, v.label == "hateful"),))
        for v in analyzer.score(memes)
    ]


def _harm(analyzer: Analyzer, memes: Sequence[Meme]) -> list[Prediction]:
    threshold = analyzer.threshold("harm")
    probs = [harm.probability for harm in analyzer.harm(memes)]
    scores = [Emotion("harmful", prob, threshold, prob >= threshold) for prob in probs]
    return [Prediction("ok", "harmful" if score.present else "not_harmful", (score,)) for score in scores]


def _text_emotions(analyzer: Analyzer, memes: Sequence[Meme]) -> list[Prediction]:
    predictions = []
    for emotions in analyzer.text_emotions([meme.caption.text for meme in memes]):
        likeliest = max(emotions.scores, key=lambda score: score.probability, default=None)
        category = likeliest.label if likeliest is not None else ""
        predictions.append(Prediction(emotions.status, category, emotions.scores, emotions.detail))
    return predictions


def _faces(analyzer: Analyzer, memes: Sequence[Meme]) -> list[Prediction]:
    predictions = []
    for emotions in map(analyzer.faces, memes):
        if not emotions.faces:
            predictions.append(Prediction(emotions.status, detail=emotions.detail))
            continue
        expressions = emotions.faces[0].expressions  # the largest face's, the likeliest first
        category = expressions[0].label
        scores = tuple(Emotion(e.label, e.probability, 0.0, e.label == category) for e in expressions)
        predictions.append(Prediction("ok", category, scores))
    return predictions


def _lenses(analyzer: Analyzer) -> list[Predictor]:
    known = {name: SPECS[name] for name in LENSES if (weights.folder(SPECS[name].model) / "config.json").is_file()}
    return [
        Predictor(name, f"{spec.meaning}: names, or none.", "words", LENSES[name], partial(_lens, analyzer, name))
        for name, spec in known.items()
        if _load(spec.model, analyzer.encoder) is not None
    ]


def _lens(analyzer: Analyzer, name: str, memes: Sequence[Meme]) -> list[Prediction]:
    verdicts: Sequence[Label | None] = [None] * len(memes)
    if SPECS[name].verdicts:
        verdicts = [verdict.label for verdict in analyzer.score(memes)]
    read = analyzer.read_words([meme.caption.text for meme in memes], [name], verdicts)
    answers = [each[name] for each in read]
    return [
        Prediction(lens.status, names_of(lens) if lens.status == "ok" else "", lens.scores, lens.detail)
        for lens in answers
    ]


def _multitask(analyzer: Analyzer) -> list[Predictor]:
    from models.classifiers import multitask

    models = ((name, _load(name, analyzer.encoder)) for name in multitask.names())
    return [_multitask_predictor(name, model) for name, model in models if model is not None]


def _load(name: str, encoder: Encoder) -> MultitaskModel | None:
    """The model, loaded once. None for a damaged folder, which is logged, and tried again once its files are others."""
    from models.classifiers.multitask import MultitaskModel

    with _lock:
        models = _loaded.setdefault(encoder, {})
        if models.get(name) is None and (name not in models or _damaged.get(name) != _files(name)):
            try:
                models[name] = MultitaskModel.load(name, encoder)
            except Exception as error:  # the others still work
                models[name], _damaged[name] = None, _files(name)
                _log.warning("weights/%s is left out: it is damaged (%s)", name, type(error).__name__)
        return models[name]


def _files(name: str) -> list[tuple[str, int, int]]:
    """Name, bytes and time of each file of a folder in `weights/`: what tells of a repair without hashing."""
    stats = ((path.name, path.stat()) for path in sorted(weights.folder(name).glob("*")))
    return [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def _multitask_predictor(name: str, model: MultitaskModel) -> Predictor:
    reads = [word for modality, word in (("image", "picture"), ("text", "words")) if model.reads(modality)]
    targets = [target for head in model.heads for target in head.targets]
    labels = tuple(
        f"{target.name}: {label}" if len(targets) > 1 else label for target in targets for label in target.classes
    )
    # for a meme that has nothing of what it reads
    nothing = Prediction("no_text" if model.reads("text") else "no_image")

    def is_usable(meme: Meme) -> bool:
        has_text = bool(normalize(meme.caption.text).text)
        return (model.reads("image") and meme.image is not None) or (model.reads("text") and has_text)

    def predict(memes: Sequence[Meme]) -> list[Prediction]:
        usable = [meme for meme in memes if is_usable(meme)]
        if not usable:
            return [nothing] * len(memes)
        logits = model.logits([meme.image for meme in usable], [meme.caption.text for meme in usable])
        answers = iter(model.answers(logits))
        return [_multitask_prediction(next(answers)) if is_usable(meme) else nothing for meme in memes]

    names = ", ".join(target.name.replace("_", " ") for target in targets)
    summary = f"A trained system ({', '.join(model.tasks)}): {names}."
    return Predictor(name, summary, ", ".join(reads), labels, predict)


def _multitask_prediction(answers: Sequence[Answer]) -> Prediction:
    answered = []
    for answer in answers:
        ordered = sorted(answer.probabilities.items(), key=lambda item: -item[1])
        scores = tuple(Emotion(label, probability, 0.0, label == answer.predicted) for label, probability in ordered)
        answered.append(Answered(answer.task, answer.target, answer.predicted, scores))
    if len(answered) == 1:
        return Prediction("ok", answered[0].category, answered[0].scores)
    return Prediction("ok", "; ".join(f"{a.question}: {a.category}" for a in answered), answers=tuple(answered))
