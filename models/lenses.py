"""Other lenses: what else a meme can be looked at for, each answered by a trained system in `weights/`.

They are second opinions beside the verdict. Stress is read only when it is asked for by name: what a text sounds like
is nobody's diagnosis.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from models.analysis import Emotion, Lens
from models.classifiers.heads import columns
from models.classifiers.multitask import TrainedSystem
from models.encoders.base import Encoder, Tokens
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, SubtextError, suggest
from models.weights import Card


@dataclass(frozen=True)
class LensSpec:
    """`question` of `task` as `system` answers it. `needs` is the side without which there is nothing to read.

    Only classes in `shown` are scores (all of them where it is empty): of yes or no the yes is enough.
    """

    name: str
    system: str
    task: str
    question: str
    meaning: str
    shown: tuple[str, ...] = ()
    needs: str = ""
    on_request: bool = False


SPECS: dict[str, LensSpec] = {
    spec.name: spec
    for spec in (
        LensSpec("humour", "memotion_gmu", "memotion-types", "humour", "Meant to be funny", ("humour",)),
        LensSpec("sarcasm", "memotion_gmu", "memotion-types", "sarcasm", "Meant sarcastically", ("sarcasm",)),
        LensSpec("offence", "memotion_gmu", "memotion-types", "offence", "Offensive to somebody", ("offence",)),
        LensSpec("motivation", "memotion_gmu", "memotion-types", "motivation", "Meant to encourage", ("motivation",)),
        LensSpec("sentiment", "memotion_gmu", "memotion-sentiment", "sentiment", "Overall sentiment"),
        LensSpec("target", "mental_health_target", "target", "target", "Whom it is aimed at"),
        LensSpec(
            "stress", "mental_health_stress", "stress", "stress", "Reads as written under stress; not a diagnosis",
            ("stress",), needs="text", on_request=True,
        ),
    )
}  # fmt: skip
"""In the order in which they are drawn."""


def asked(names: Collection[str]) -> tuple[LensSpec, ...]:
    """The lenses of these names; `BadInput` with the nearest name for one that is not there."""
    for name in names:
        if name not in SPECS:
            raise BadInput(f"There is no lens {name!r}.{suggest(name, SPECS)}")
    return tuple(spec for name, spec in SPECS.items() if name in names)


class Lenses:
    """Loads each system when it is first asked for, and keeps it. Safe to share between threads."""

    def __init__(self, encoder: Encoder, *, threads: int = 0) -> None:
        self._encoder, self._threads = encoder, threads
        self._systems: dict[str, TrainedSystem | SubtextError] = {}

    def read(self, names: Collection[str], image: Tokens | None, text: Tokens | None) -> dict[str, Lens]:
        """One answer a lens, in their order; one that cannot be read says why and leaves the rest alone."""
        found: dict[str, Lens] = {}
        if (self._encoder.image_width, self._encoder.text_width) != (MiniEncoder.image_width, MiniEncoder.text_width):
            other = "Other lenses read the tokens of the mini profile: choose it to use them."
            return {spec.name: Lens("failed", detail=other) for spec in asked(names)}
        logits: dict[str, np.ndarray] = {}
        for spec in asked(names):
            try:
                found[spec.name] = self._read(spec, image, text, logits)
            except SubtextError as error:
                found[spec.name] = Lens("failed", detail=str(error))
        return found

    def card(self, name: str) -> Card:
        """The card of the system behind a lens."""
        return self._system(SPECS[name].system).card

    def _read(self, spec: LensSpec, image: Tokens | None, text: Tokens | None, logits: dict[str, np.ndarray]) -> Lens:
        if spec.needs == "text" and text is None:
            return Lens("no_text")
        system = self._system(spec.system)
        given = {side: tokens for side, tokens in (("image", image), ("text", text)) if system.reads(side)}
        if all(tokens is None for tokens in given.values()):
            return Lens("no_text" if "text" in given else "no_image")
        if spec.system not in logits:
            logits[spec.system] = system.logits_of_tokens(image, text)
        return Lens("ok", scores(system, spec, logits[spec.system]))

    def _system(self, name: str) -> TrainedSystem:
        if name not in self._systems:
            try:
                self._systems[name] = TrainedSystem.load(name, self._encoder, threads=self._threads)
            except SubtextError as error:
                self._systems[name] = error
        found = self._systems[name]
        if isinstance(found, SubtextError):
            raise type(found)(*found.args)
        return found


def scores(system: TrainedSystem, spec: LensSpec, logits: np.ndarray) -> tuple[Emotion, ...]:
    """The shown classes of the spec's question for the first meme, those present first, then by falling probability.

    Of several classes the one that is given is present; its threshold, as the others', is what it takes to be it here.
    """
    for head, where in zip(system.heads, columns(system.heads), strict=True):
        names = [question.name for question in head.questions]
        if head.name != spec.task or spec.question not in names:
            continue
        number = names.index(spec.question)
        question, rule = head.questions[number], head.rules[number]
        chances = head.probabilities(logits[:, :1, where])[number]
        given, row = int(rule.decide(chances)[0]), chances[0]
        offsets = np.exp(np.asarray(rule.offsets or np.zeros(len(row))))
        found = []
        for at, label in enumerate(question.classes):
            if spec.shown and label not in spec.shown:
                continue
            rival = max(row[other] * offsets[other] for other in range(len(row)) if other != at)
            needed = rival / offsets[at]  # p from which p * offset beats the best of the others, were they as they are
            threshold = rule.threshold() if len(row) == 2 and at == 1 else min(1.0, needed)
            found.append(Emotion(label, float(row[at]), float(threshold), at == given))
        return tuple(sorted(found, key=lambda score: (not score.present, -score.probability)))
    raise BadInput(f"weights/{system.card.name} has no answer to {spec.question!r}.")


def meanings() -> Mapping[str, str]:
    """What each lens asks, by its name."""
    return {name: spec.meaning for name, spec in SPECS.items()}
