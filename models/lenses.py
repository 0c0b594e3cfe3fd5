"""Lenses: other readings of a meme beside the verdict, each by a multitask model in `weights/`.

Stress is read only when a caller names it: what a text sounds like is nobody's diagnosis.
"""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from models.analysis import Emotion, Lens
from models.classifiers.heads import columns
from models.classifiers.multitask import MultitaskModel
from models.encoders.base import Encoder, Tokens
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, SubtextError, load_or_error, require, suggest


@dataclass(frozen=True)
class LensSpec:
    """The `target` of `task` as `model` predicts it. `needs` is the side without which there is nothing to read.

    Only classes in `shown` become scores (all where it is empty): of yes or no, yes is enough.
    """

    name: str
    model: str
    task: str
    target: str
    meaning: str
    shown: Sequence[str] = ()
    needs: str = ""
    on_request: bool = False


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

    def read(self, names: Collection[str], image: Tokens | None, text: Tokens | None) -> dict[str, Lens]:
        """One answer for each lens; a lens that cannot be read says why and leaves the others alone."""
        if (self._encoder.image_width, self._encoder.text_width) != (MiniEncoder.image_width, MiniEncoder.text_width):
            detail = "Other lenses read the tokens of the mini profile: choose it to use them."
            return {spec.name: Lens("failed", detail=detail) for spec in select_lenses(names)}
        lenses: dict[str, Lens] = {}
        logits: dict[str, np.ndarray] = {}
        for spec in select_lenses(names):
            lens = load_or_error(partial(self._read, spec, image, text, logits))
            lenses[spec.name] = Lens("failed", detail=str(lens)) if isinstance(lens, SubtextError) else lens
        return lenses

    def _read(self, spec: LensSpec, image: Tokens | None, text: Tokens | None, logits: dict[str, np.ndarray]) -> Lens:
        if spec.needs == "text" and text is None:
            return Lens("no_text")
        model = self._model(spec.model)
        read = {side: tokens for side, tokens in (("image", image), ("text", text)) if model.reads(side)}
        if all(tokens is None for tokens in read.values()):
            return Lens("no_text" if "text" in read else "no_image")
        if spec.model not in logits:
            logits[spec.model] = model.logits_of_tokens(image, text)
        return Lens("ok", scores(model, spec, logits[spec.model]))

    def _model(self, name: str) -> MultitaskModel:
        if name not in self._models:
            self._models[name] = load_or_error(lambda: MultitaskModel.load(name, self._encoder, threads=self._threads))
        return require(self._models[name])


def scores(model: MultitaskModel, spec: LensSpec, logits: np.ndarray) -> tuple[Emotion, ...]:
    """The shown classes of the spec's target for the first meme, those present first, then by falling probability.

    The predicted class is present. The threshold of a class is the probability from which it would be the predicted one.
    """
    for head, column in zip(model.heads, columns(model.heads), strict=True):
        names = [target.name for target in head.targets]
        if head.name != spec.task or spec.target not in names:
            continue
        number = names.index(spec.target)
        target, rule = head.targets[number], head.rules[number]
        probs = head.probabilities(logits[:, :1, column])[number]  # (1, classes)
        predicted, row = int(rule.decide(probs)[0]), probs[0]
        offsets = np.exp(rule.offsets or np.zeros(len(row)))
        lens_scores = []
        for index, label in enumerate(target.classes):
            if spec.shown and label not in spec.shown:
                continue
            # p from which p * offset beats the best of the others, were they as they are
            needed = np.delete(row * offsets, index).max() / offsets[index]
            threshold = rule.threshold() if len(row) == 2 and index == 1 else min(1.0, needed)
            lens_scores.append(Emotion(label, float(row[index]), float(threshold), index == predicted))
        return tuple(sorted(lens_scores, key=lambda score: (not score.present, -score.probability)))
    raise BadInput(f"weights/{model.card.name} has no answer to {spec.target!r}.")
