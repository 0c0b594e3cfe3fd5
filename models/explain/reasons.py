"""What moved the score, in sentences: picture against words, single words, parts of the picture.

All of it comes from `Analysis.evidence`, where each effect was measured by taking something away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from models.analysis import Analysis, Box, ImageInfo, RegionEffect, WordEffect
from models.explain.facts import Ledger, shortened, two_decimals

NOTABLE = 0.1  # logits; a smaller effect is not told as a reason
MAX_WORDS, MAX_REGIONS = 3, 2

_PLACES = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the centre", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)
_Effect = TypeVar("_Effect", WordEffect, RegionEffect)


def place(box: Box, image: ImageInfo) -> str:
    """Where a box lies in the picture, in words: the third that its middle falls into, across and down."""
    column, row = (
        min(2, max(0, int(3 * (near + far) / 2 / side)))
        for near, far, side in ((box[0], box[2], image.width), (box[1], box[3], image.height))
    )
    return _PLACES[row][column]


def sides(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """Which side carried the score, by the Shapley values."""
    shapley = analysis.evidence.shapley
    if shapley is None:
        return
    pictured, worded = analysis.image is not None, bool(analysis.caption.text.strip())
    base = ledger.plain("evidence.shapley.base", shapley.base)
    total = ledger.plain("evidence.shapley.total", shapley.total)
    if not (pictured and worded):
        side, name = ("picture", "image") if pictured else ("words", "text")
        moved = ledger.signed(f"evidence.shapley.{name}", getattr(shapley, name))
        yield f"Only the {side} could be judged, moving the logit by {moved}, from {base} to {total}."
        return
    picture = ledger.signed("evidence.shapley.image", shapley.image)
    words = ledger.signed("evidence.shapley.text", shapley.text)
    if max(abs(shapley.image), abs(shapley.text)) < NOTABLE:
        sentence = f"Neither side moved the score much: the picture moved the logit by {picture}, the words by {words}"
    elif abs(shapley.text) >= 2 * abs(shapley.image):
        sentence = f"The words carried most weight: they moved the logit by {words}, the picture by {picture}"
    elif abs(shapley.image) >= 2 * abs(shapley.text):
        sentence = f"The picture carried most weight: it moved the logit by {picture}, the words by {words}"
    elif shapley.image * shapley.text > 0:
        sentence = (
            f"Picture and words pulled the same way: the picture moved the logit by {picture}, the words by {words}"
        )
    else:
        sentence = f"Picture and words pulled apart: the picture moved the logit by {picture}, the words by {words}"
    yield f"{sentence}, from {base} without either to {total} with both (plus is toward hateful)."
    if abs(shapley.interaction) >= NOTABLE:
        together = ledger.signed("evidence.shapley.interaction", shapley.interaction)
        yield f"What they say only together is worth {together}, shared equally between them in these figures."


def words(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The words that moved the score most, those toward hateful first, and the score without each."""
    measured = [(index, word) for index, word in enumerate(analysis.evidence.words) if shortened(word.text)]
    strongest = _strongest(measured, MAX_WORDS, lambda word: shortened(word.text).casefold())
    if measured and not strongest:
        yield "No word, left out by itself, moved the score noticeably."
    for sign, verb in ((1, "pushed most toward hateful"), (-1, "pulled most away from hateful")):
        group = [(index, word) for index, word in strongest if word.effect * sign > 0]
        for number, (index, word) in enumerate(group):
            quoted = ledger.quote(f"evidence.words[{index}].text", word.text)
            change = _change(analysis, ledger, f"evidence.words[{index}]", word.effect)
            if number:
                yield f"Without {quoted} {change}."
            elif len(word.text.split()) > 1:
                yield f"The words that {verb} are {quoted}: without them {change}."
            else:
                yield f"The word that {verb} is {quoted}: without it {change}."


def regions(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The parts of the picture that moved the score most, and the score with each covered."""
    image = analysis.image
    if image is None or not analysis.evidence.regions:
        return
    measured = enumerate(analysis.evidence.regions)
    strongest = _strongest(measured, MAX_REGIONS, lambda region: place(region.box, image))
    if not strongest:
        yield "No part of the picture, covered by itself, moved the score noticeably."
    for index, region in strongest:
        direction = "pushes toward" if region.effect > 0 else "pulls away from"
        change = _change(analysis, ledger, f"evidence.regions[{index}]", region.effect)
        yield f"A part {place(region.box, image)} of the picture {direction} hateful: with it covered {change}."


def probability_without(analysis: Analysis, effect: float) -> float:
    """sigmoid(logit - effect): the calibrated probability once what has this effect is taken away."""
    return (1 + math.tanh((analysis.verdict.logit - effect) / 2)) / 2


def _strongest(
    measured: Iterable[tuple[int, _Effect]], most: int, same: Callable[[_Effect], str]
) -> list[tuple[int, _Effect]]:
    """The notable effects, strongest first, with their places in the evidence; of those that read the same, one."""
    strongest: dict[str, tuple[int, _Effect]] = {}
    for index, item in sorted(measured, key=lambda pair: -abs(pair[1].effect)):
        if abs(item.effect) >= NOTABLE:
            strongest.setdefault(same(item), (index, item))
    return list(strongest.values())[:most]


def _change(analysis: Analysis, ledger: Ledger, name: str, effect: float) -> str:
    """What the probability becomes without something; where rounding hides that, the effect on the logit."""
    before = ledger.plain("verdict.probability", analysis.verdict.probability)
    without = probability_without(analysis, effect)
    if two_decimals(without) == before:
        moved = ledger.signed(f"{name}.effect", effect)
        return f"the probability still rounds to {before} (its effect on the logit is {moved})"
    return f"the probability goes from {before} to {ledger.plain(f'{name}.probability_without', without)}"
