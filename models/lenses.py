"""Lenses: other readings of a meme beside the verdict, each by a multitask model in `weights/`.

Stress is read only when a caller names it: what a text sounds like is nobody's diagnosis.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from models import weights
from models.analysis import Emotion, Label, Lens
from models.classifiers.heads import Rule, Target, columns
from models.classifiers.multitask import MultitaskModel
from models.classifiers.targets import TITLES
from models.encoders.base import Encoder, Tokens
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, SubtextError, load_or_error, require, suggest

NONE = "none"  # in place of names, where a lens was read and nothing is present


@dataclass(frozen=True)
class LensSpec:
    """The `target` of `task` as `model` predicts it. `needs` is the side without which there is nothing to read.

    Only classes in `shown` become scores (all where it is empty): of yes or no, yes is enough. Without a `target`: all
    targets of the task, of each whether it holds. `verdicts`: it is read only where the verdict is one of these (none: always).
    """

    name: str
    model: str
    task: str
    meaning: str
    target: str = ""
    shown: Sequence[str] = ()
    needs: str = ""
    on_request: bool = False
    verdicts: Sequence[Label] = ()


_TABLE = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
SPECS = {name: LensSpec(name, **settings) for name, settings in tomllib.loads(_TABLE).items()}
"""In the order in which they are drawn."""


def select_lenses(names: Collection[str]) -> tuple[LensSpec, ...]:
    """The lenses of these names, in the order of `SPECS`; `BadInput` with the nearest name for an unknown one."""
    for name in names:
        if name not in SPECS:
            raise BadInput(f"There is no lens {name!r}.{suggest(name, SPECS)}")
    return tuple(spec for name, spec in SPECS.items() if name in names)


class Lenses:
    """Loads each multitask model when a lens first needs it, and keeps it. Thread-safe."""

    def __init__(self, encoder: Encoder, *, threads: int = 0) -> None:
        self._encoder, self._threads = encoder, threads
        self._models: dict[str, MultitaskModel | SubtextError] = {}

    def read(
        self,
        names: Collection[str],
        image: Tokens | None,
        text: Tokens | None,
        verdicts: Sequence[Label | None],
        texts: Sequence[str],
    ) -> list[dict[str, Lens]]:
        """The lenses of each meme of a batch, whose verdicts and texts these are (None: not known). A side is None that no meme
        has.

        A lens that cannot be read says why and leaves the others alone.
        """
        if (self._encoder.image_width, self._encoder.text_width) != (MiniEncoder.image_width, MiniEncoder.text_width):
            detail = "Other lenses read the tokens of the mini profile: choose it to use them."
            return [{spec.name: Lens("failed", detail=detail) for spec in select_lenses(names)} for _ in verdicts]
        by_meme: list[dict[str, Lens]] = [{} for _ in verdicts]
        logits: dict[str, np.ndarray] = {}
        for spec in select_lenses(names):
            read = load_or_error(partial(self._read, spec, {"image": image, "text": text}, verdicts, texts, logits))
            if isinstance(read, SubtextError):
                read = [Lens("failed", detail=str(read))] * len(verdicts)
            for lenses, lens in zip(by_meme, read, strict=True):
                lenses[spec.name] = lens
        return by_meme

    def _read(
        self,
        spec: LensSpec,
        sides: Mapping[str, Tokens | None],
        verdicts: Sequence[Label | None],
        texts: Sequence[str],
        logits: dict[str, np.ndarray],
    ) -> list[Lens]:
        has = {side: _present(tokens, len(verdicts)) for side, tokens in sides.items()}

        def read(meme: int, verdict: Label | None) -> Lens:
            if spec.verdicts and verdict not in spec.verdicts:
                wanted = " or ".join(label.replace("_", " ") for label in spec.verdicts)
                return Lens("off", detail=f"It is read only where the verdict is {wanted}.")
            if spec.needs == "text" and not has["text"][meme]:
                return Lens("no_text")
            model = self._model(spec.model)
            if not any(has[side][meme] for side in sides if model.reads(side)):
                return Lens("no_text" if model.reads("text") else "no_image")
            if spec.model not in logits:
                logits[spec.model] = (
                    model.logits([None] * len(texts), texts)
                    if model.needs_texts
                    else model.logits_of_tokens(sides["image"], sides["text"])
                )
            return Lens("ok", scores(model, spec, logits[spec.model][:, meme : meme + 1]))

        return [read(meme, verdict) for meme, verdict in enumerate(verdicts)]

    def _model(self, name: str) -> MultitaskModel:
        if name not in self._models:
            self._models[name] = load_or_error(lambda: MultitaskModel.load(name, self._encoder, threads=self._threads))
        return require(self._models[name])


def names_of(lens: Lens) -> str:
    """What is present by its title, semicolons between, or `none`; why it failed; empty where there was nothing to read."""
    if lens.status == "failed":
        return lens.detail
    present = [TITLES.get(score.label, score.label) for score in lens.scores if score.present]
    return "; ".join(present) or (NONE if lens.status == "ok" else "")


def rows_learned_from(spec: LensSpec) -> dict[str, dict[str, int]]:
    """By source, with how many training rows each target of the lens holds; empty where its model does not tell."""
    positives: dict[str, dict[str, dict[str, int]]] = weights.card(spec.model).config.get("positives", {})
    return {source: by_task[spec.task] for source, by_task in positives.items() if spec.task in by_task}


def _present(tokens: Tokens | None, memes: int) -> np.ndarray:
    """Which memes of a batch have this side, bool [memes]."""
    return np.zeros(memes, bool) if tokens is None else np.asarray(tokens.mask.any(axis=1))


def scores(model: MultitaskModel, spec: LensSpec, logits: np.ndarray) -> tuple[Emotion, ...]:
    """The shown classes of the spec's target, or all targets of its task, for the first meme of the logits.

    Those present come first, then the others by falling probability. Of a target, the predicted class is present; the
    threshold of a class is the probability from which it would be the predicted one.
    """
    for head, column in zip(model.heads, columns(model.heads), strict=True):
        names = [target.name for target in head.targets]
        if head.name != spec.task or (spec.target and spec.target not in names):
            continue
        probs = head.probabilities(logits[:, :1, column])  # of each target (1, classes)
        if spec.target:
            number = names.index(spec.target)
            lens_scores = _of_classes(head.targets[number], head.rules[number], probs[number], spec.shown)
        else:
            lens_scores = [
                Emotion(name, float(each[0, 1]), rule.threshold(), bool(rule.decide(each)[0] == 1))
                for name, rule, each in zip(names, head.rules, probs, strict=True)
            ]
        return tuple(sorted(lens_scores, key=lambda score: (not score.present, -score.probability)))
    raise BadInput(f"weights/{model.card.name} has no answer to {spec.target or spec.task!r}.")


def _of_classes(target: Target, rule: Rule, probs: np.ndarray, shown: Collection[str]) -> list[Emotion]:
    """A score for each shown class; probs (1, classes)."""
    predicted, row = int(rule.decide(probs)[0]), probs[0]
    offsets = np.exp(rule.offsets or np.zeros(len(row)))
    class_scores = []
    for index, label in enumerate(target.classes):
        if shown and label not in shown:
            continue
        # p from which p * offset beats the best of the others, were they as they are
        needed = np.delete(row * offsets, index).max() / offsets[index]
        threshold = rule.threshold() if len(row) == 2 and index == 1 else min(1.0, needed)
        class_scores.append(Emotion(label, float(row[index]), float(threshold), index == predicted))
    return class_scores
