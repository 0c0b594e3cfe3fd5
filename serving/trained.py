"""The trained systems in `weights/` (folders whose card says `"kind": "system"`) under the form of `serving.systems`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from models.analysis import Emotion, Meme
from models.io.captions import normalize
from serving.systems import Answered, Prediction, System

if TYPE_CHECKING:
    from models.analyzer import Analyzer

MODULE = "models.classifiers.multitask"  # comes with the further systems: without it there are none
_loaded: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()  # by encoder, so that they go with it
_lock = threading.Lock()


def systems(analyzer: Analyzer) -> list[System]:
    """All that are there. They read the tokens of the profile `mini`: beside another profile there are none."""
    if analyzer.info.name != "mini" or find_spec(MODULE) is None:
        return []
    found = []
    for name in import_module(MODULE).names():
        try:
            found.append(_system(analyzer, name))
        except Exception:  # a damaged folder takes no other system with it; asked by name it is not there
            continue
    return found


def _system(analyzer: Analyzer, name: str) -> System:
    system = _load(analyzer, name)
    sides = [said for side, said in (("image", "picture"), ("text", "words")) if system.reads(side)]
    questions = [question for head in system.heads for question in head.questions]
    several = len(questions) > 1
    labels = tuple(f"{one.name}: {label}" if several else label for one in questions for label in one.classes)

    def predict(memes: Sequence[Meme]) -> list[Prediction]:
        return _predicted(system, memes)

    told = ", ".join(question.name.replace("_", " ") for question in questions)
    return System(name, f"A trained system ({', '.join(system.tasks)}): {told}.", ", ".join(sides), labels, predict)


def _predicted(system: Any, memes: Sequence[Meme]) -> list[Prediction]:
    missing = [_missing(system, meme) for meme in memes]
    here = [meme for meme, status in zip(memes, missing, strict=True) if status is None]
    read = iter(system.answers(system.logits([m.image for m in here], [m.caption.text for m in here])) if here else [])
    return [status or _prediction(next(read)) for status in missing]


def _missing(system: Any, meme: Meme) -> Prediction | None:
    """The answer for a meme that lacks everything that the system reads."""
    text = bool(normalize(meme.caption.text).text)
    if (system.reads("image") and meme.image is not None) or (system.reads("text") and text):
        return None
    return Prediction("no_text" if system.reads("text") else "no_image")


def _prediction(answers: Sequence[Any]) -> Prediction:
    told = tuple(Answered(one.task, one.question, one.given, _scores(one)) for one in answers)
    if len(told) == 1:
        return Prediction("ok", told[0].category, told[0].scores)
    return Prediction("ok", "; ".join(f"{one.question}: {one.category}" for one in told), answers=told)


def _scores(answer: Any) -> tuple[Emotion, ...]:
    """Its classes, the likeliest first; the one that was given is present."""
    ordered = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
    return tuple(Emotion(label, value, 0.0, label == answer.given) for label, value in ordered)


def _load(analyzer: Analyzer, name: str) -> Any:
    with _lock:
        held = _loaded.setdefault(analyzer.encoder, {})
        if name not in held:
            held[name] = import_module(MODULE).TrainedSystem.load(name, analyzer.encoder)
        return held[name]
