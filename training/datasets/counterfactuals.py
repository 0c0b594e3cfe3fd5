"""Our own counterfactual sentences: the same groups, spoken of with hate and without it.

A model that has only seen groups named in attacks takes the name for the attack (Dixon et al. 2018, "Measuring and
Mitigating Unintended Bias"). Each group in `templates` therefore appears in hateful, kind, neutral, negated and quoted
sentences, and each hostile form also with targets that are no protected group. They were
written without HateCheck at hand, but sentences as plain as "I hate women." may equal cases of it, so that figures on
HateCheck may flatter. Templates are split into train and validation; one that stands under two forms is on the same side
under both.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from training.datasets.templates import (
    GROUPS,
    HATEFUL,
    HOSTILE_TO_OTHERS,
    KIND,
    NEGATED,
    NEUTRAL,
    OTHERS,
    PLAIN,
    QUOTED,
)

FORMS: dict[str, tuple[tuple[str, ...], int]] = {
    "hateful": (HATEFUL, 1),
    "kind": (KIND, 0),
    "neutral": (NEUTRAL, 0),
    "negated": (NEGATED, 0),
    "quoted": (QUOTED, 0),
    "hostile_to_others": (HOSTILE_TO_OTHERS, 0),
    "plain": (PLAIN, 0),
}


@dataclass(frozen=True)
class Sentence:
    """A filled template: its text, its label (1 = hate), the form it belongs to and the group it names."""

    text: str
    label: int
    form: str
    group: str


def sentences(split: str) -> list[Sentence]:
    """All filled templates of one side (`train` or `validation`); a template is on one side only."""
    if split not in ("train", "validation"):
        raise ValueError(f"split={split!r} is neither 'train' nor 'validation'")
    found = []
    for form, (templates, label) in FORMS.items():
        for template in templates:
            if _held_out(form, template) is not (split == "validation"):
                continue
            names = ("",) if form == "plain" else OTHERS if form == "hostile_to_others" else GROUPS
            found += [Sentence(_fill(template, name), label, form, name) for name in names]
    return found


def misspell(text: str, rng: random.Random) -> str:
    """The text as somebody writes it who wants to slip past a filter: swapped, dropped, spaced or leet letters."""
    words = text.split(" ")
    index = max(range(len(words)), key=lambda i: len(words[i]) * rng.random())
    word = words[index]
    if len(word) < 4:
        return text
    at = rng.randrange(1, len(word) - 1)
    style = rng.randrange(6)
    if style == 0:
        words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif style == 1:
        words[index] = word[:at] + word[at + 1 :]
    elif style == 2:
        words[index] = " ".join(word)
    elif style == 3:
        words[index] = word.translate(str.maketrans("aeiosAEIOS", "4310$4310$"))
    elif style == 4:
        words[index] = ".".join(word)
    elif index + 1 < len(words):
        words[index : index + 2] = [word + words[index + 1]]
    return " ".join(words)


def _held_out(form: str, template: str) -> bool:
    if form == "hostile_to_others" and template in HATEFUL:
        form = "hateful"  # the same words with other targets stay on the same side
    return hashlib.sha256(f"{form}:{template}".encode()).digest()[0] < 40  # about one in six


def _fill(template: str, name: str) -> str:
    return template.replace("{G}", name[:1].upper() + name[1:]).replace("{g}", name)
