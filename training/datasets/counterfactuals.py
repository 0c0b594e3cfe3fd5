"""Our own counterfactual sentences: the same groups, mentioned with hate and without it.

A model that has only seen groups named in attacks takes the name for the attack (Dixon et al. 2018, "Measuring and
Mitigating Unintended Bias"). Each group in `templates.toml` therefore appears in hateful, kind, neutral, negated and quoted
sentences, and each hostile form also with targets that are no protected group. They were written without HateCheck at
hand, but sentences as plain as "I hate women." may equal cases of it, so that metrics on HateCheck may flatter. Templates
are split into train and validation; a template that has two forms is on the same side under both.
"""

import hashlib
import random
import tomllib
from dataclasses import dataclass
from pathlib import Path

TEMPLATES: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("templates.toml").read_text(encoding="utf-8"))
GROUPS, OTHERS = TEMPLATES["groups"], TEMPLATES["others"]
LABELS = {"hateful": 1, "kind": 0, "neutral": 0, "negated": 0, "quoted": 0, "hostile_to_others": 0, "plain": 0}
"""The label of each form of templates, 1 = hate; the order is that of the sentences."""


@dataclass(frozen=True)
class Sentence:
    """A filled template: its text, its label (1 = hate), its form and the group it names."""

    text: str
    label: int
    form: str
    group: str


def sentences(split: str, limit: int | None = None) -> list[Sentence]:
    """The filled templates of a split, `train` or `validation`; a template is in one of them only.

    With `limit` so many of them, spread over all forms, since the hateful ones come first.
    """
    if split not in ("train", "validation"):
        raise ValueError(f"split={split!r} is neither 'train' nor 'validation'")
    names = {"plain": [""], "hostile_to_others": OTHERS}
    filled = [
        Sentence(template.replace("{G}", name[:1].upper() + name[1:]).replace("{g}", name), label, form, name)
        for form, label in LABELS.items()
        for template in TEMPLATES[form]
        if _in_validation(form, template) is (split == "validation")
        for name in names.get(form, GROUPS)
    ]
    return filled[:: max(1, len(filled) // limit)][:limit] if limit else filled


def misspell(text: str, rng: random.Random) -> str:
    """The text with one word misspelt, as if to pass a filter: swapped, dropped, spaced or leet letters, or a lost space."""
    words = text.split(" ")
    index = max(range(len(words)), key=lambda i: len(words[i]) * rng.random())
    word = words[index]
    if len(word) < 4:
        return text
    position = rng.randrange(1, len(word) - 1)
    variants = (
        word[:position] + word[position + 1] + word[position] + word[position + 2 :],
        word[:position] + word[position + 1 :],
        " ".join(word),
        word.translate(str.maketrans("aeiosAEIOS", "4310$4310$")),
        ".".join(word),
    )
    style = rng.randrange(len(variants) + 1)
    if style < len(variants):
        words[index] = variants[style]
    elif index + 1 < len(words):
        words[index : index + 2] = [word + words[index + 1]]
    return " ".join(words)


def _in_validation(form: str, template: str) -> bool:
    if form == "hostile_to_others" and template in TEMPLATES["hateful"]:
        form = "hateful"  # the same words with other targets stay in the same split
    return hashlib.sha256(f"{form}:{template}".encode()).digest()[0] < 40  # about one in six
