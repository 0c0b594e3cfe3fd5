"""Our own counterfactual sentences in eleven languages: the same groups, mentioned with hate and without it.

A model that has only seen groups named in attacks takes the name for the attack (Dixon et al. 2018, "Measuring and
Mitigating Unintended Bias"). Each language's file in `templates/` therefore has hateful, kind, neutral, negated and quoted
sentences about the same groups, slogans, rules and questions, and hostile sentences about targets that are no protected
group. They were written without HateCheck and its multilingual sister at hand, but sentences as plain as "I hate women."
may equal cases of them, so that metrics on those may flatter. Templates are split into train and validation; one that has
two forms is on the same side under both.
"""

import hashlib
import random
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("templates")
LANGUAGES = ("en", "ar", "de", "es", "fr", "hi", "it", "nl", "pl", "pt", "zh")
LABELS = {
    "hateful": 1, "implicit": 1, "kind": 0, "neutral": 0, "negated": 0, "quoted": 0, "hostile_to_others": 0, "plain": 0,
    "slogan": 0, "slogan_parody": 1, "faith": 0, "remembrance": 0, "rule": 0, "in_group": 0, "question": 0,
    "question_hostile": 1, "homonym": 0, "criticism": 0, "exclusion": 1, "single": 0,
}  # fmt: skip
"""The label of each form of templates, 1 = hate; the order is that of the sentences."""
WITH_SLURS = ("hateful", "in_group")  # forms in which a slur stands for a group without quotation marks
NAMES = 8  # with how many names each template is filled
_QUOTES = re.compile("[\"'“„”«»‘’「」『』《》]")
_CHOICE, _BLANK = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]"), re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Sentence:
    """A filled template: its text, its label (1 = hate), its form, the name that it holds, whom that means, its language."""

    text: str
    label: int
    form: str
    group: str
    target: str = ""
    language: str = "en"


@cache
def templates(language: str) -> dict[str, Any]:
    """The file of a language: `groups` and `others` with their names' `forms`, `genders` of alternatives, `sentences`."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def sentences(split: str, limit: int | None = None, *, names: int = NAMES) -> list[Sentence]:
    """The filled templates of a split, `train` or `validation`; a template is in one of them only.

    Each is filled with `names` of the names that fit it, drawn once and for all. With `limit` so many sentences, spread
    over all languages and forms.
    """
    if split not in ("train", "validation"):
        raise ValueError(f"split={split!r} is neither 'train' nor 'validation'")
    filled = [
        sentence
        for language in LANGUAGES
        for form in LABELS
        for template in templates(language)["sentences"][form]
        if _in_validation(language, form, template) is (split == "validation")
        for sentence in _filled(language, form, template, names)
    ]
    return filled[:: max(1, len(filled) // limit)][:limit] if limit else filled


def fill(template: str, name: dict[str, Any], genders: list[str]) -> str:
    """The template with the name's inflected forms; of `[a|b]` the alternative of its gender. `{Form}` begins with a capital."""

    def form(match: re.Match[str]) -> str:
        key = match[1][0].lower() + match[1][1:]
        return str(name[key]) if key == match[1] else str(name[key][:1].upper() + name[key][1:])

    chosen = _CHOICE.sub(lambda match: match[1].split("|")[genders.index(name["gender"])], template)
    return _BLANK.sub(form, chosen)


def _filled(language: str, form: str, template: str, count: int) -> list[Sentence]:
    file, label = templates(language), LABELS[form]
    genders, first = file.get("genders", []), file["forms"][0]
    if not _BLANK.search(template) and not _CHOICE.search(template):
        return [Sentence(template, label, form, "", "", language)]
    fitting = file["others"] if form == "hostile_to_others" else file["groups"]
    if form not in WITH_SLURS and not (form == "quoted" and _QUOTES.search(template)):
        fitting = [name for name in fitting if not name.get("slur")]
    drawn = random.Random(f"{language}:{template}").sample(fitting, min(count, len(fitting)))
    return [
        Sentence(fill(template, name, genders), label, form, name[first], name.get("target", ""), language)
        for name in drawn
    ]


def _in_validation(language: str, form: str, template: str) -> bool:
    if form == "hostile_to_others" and template in templates(language)["sentences"]["hateful"]:
        form = "hateful"  # the same words with other targets stay in the same split
    return hashlib.sha256(f"{form}:{template}".encode()).digest()[0] < 40  # about one in six
