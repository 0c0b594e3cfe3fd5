"""The language of a caption: by its script where that tells, else by py3langid among the languages of that script.

A classifier of letters is right on sentences and guesses on "lol". Of its guesses only those are taken that are `SURE`;
`benchmarks/language_detection.py` measures how often they are right, by language and by number of words.
"""

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.analysis import Caption
from models.io.captions import normalize
from models.runtime.once import once

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNDETERMINED = "und"
SURE = 0.6  # of a probability; less, and the words do not tell
PRIOR = {"en": 5.0}  # times as common as each other language; short English captions gain, others hardly lose
MIN_WORDS = 2  # fewer in a script of several languages do not tell
KANA = 0.1  # of the letters of a Japanese text at the least; a Chinese one may hold a の

SCRIPTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""English names by script and ISO 639-1 code."""
NAMES = {code: name for names in SCRIPTS.values() for code, name in names.items()}
NAMED = "The words look {name}, a language that this model was not measured on: a person should read them."
UNNAMED = (
    "Most letters of the words are {script}, a script of no language that this model was measured on: a person should read "
    "them."
)
NO_WORDS = re.compile(r"https?://\S+|www\.\S+|(?<!\S)\S+\.(?:com|net|org)\b\S*|@\w+|&\w+;|\bRT\b")
"""Links, @names and entities, which are the same in all languages."""
_HASHTAG_PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Language:
    """An ISO 639-1 `code`, or `und` where the words do not tell.

    probability: among the languages of its script, None where the script alone tells or nothing does. script: that of most
    letters, by the first word of their Unicode names (`LATIN`); blank without letters.
    """

    code: str = UNDETERMINED
    probability: float | None = None
    script: str = ""


def detect(text: str) -> Language:
    """The language of most letters; links, @names and marks do not count, and neither does the case."""
    shown = NO_WORDS.sub(" ", normalize(text).text)
    script = script_of(shown)
    codes = list(SCRIPTS.get(script, ()))
    if len(codes) < 2:
        return Language(codes[0] if codes else UNDETERMINED, script=script)
    words = _words(shown, script)
    if len(words.split()) < MIN_WORDS:
        return Language(script=script)
    ranked = {code: PRIOR.get(code, 1.0) * value for code, value in _identifier().rank(words) if code in codes}
    likeliest = max(ranked, key=lambda code: ranked[code])
    probability = ranked[likeliest] / (sum(ranked.values()) or 1.0)
    return Language(likeliest, probability, script) if probability >= SURE else Language(script=script)


def script_of(text: str) -> str:
    """That of most letters, by the first word of their Unicode names; blank without letters."""
    letters = Counter(_script(character) for character in text if character.isalpha())
    kana = letters["HIRAGANA"] + letters["KATAKANA"]
    script = letters.most_common(1)[0][0] if letters else ""
    return "HIRAGANA" if script == "CJK" and kana >= KANA * (kana + letters["CJK"]) else script


def with_language(caption: Caption, language: Language | None = None) -> Caption:
    """The caption with its language, which is detected where it is not given; one without words has none."""
    if not normalize(caption.text).text:
        return caption
    language = language or detect(caption.text)
    return replace(caption, language=language.code, language_probability=language.probability)


def unmeasured(language: Language, measured: Collection[str]) -> str:
    """Why a model that was measured on some languages alone should not judge these words; blank where it may.

    It may where the words do not tell their language, as long as a language that was measured is written in their script.
    """
    if language.code != UNDETERMINED:
        return "" if language.code in measured else NAMED.format(name=NAMES[language.code])
    known = {script for script, names in SCRIPTS.items() if names.keys() & set(measured)}
    if not language.script or language.script in known:
        return ""
    return UNNAMED.format(script=language.script.capitalize())


def foreign_name(code: str | None) -> str:
    """`German` for `de`; blank for English, and where the language is not known."""
    return "" if code is None or code == "en" else NAMES.get(code, "")


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    return re.split("[ -]", unicodedata.name(character, ""))[0]


def _words(text: str, script: str) -> str:
    """The words of one script in lower case; `#TwoWords` are two."""
    apart = _HASHTAG_PARTS.sub(" ", text)
    letters = (c if c in "'’" or unicodedata.combining(c) or _is_of(c, script) else " " for c in apart)
    return " ".join("".join(letters).lower().split())


def _is_of(character: str, script: str) -> bool:
    """Letters of the script, and the vowel signs that are no letters by themselves."""
    return unicodedata.category(character)[0] in "LM" and _script(character) == script


@once
def _identifier() -> "LanguageIdentifier":
    """py3langid with the languages of `SCRIPTS` that it has to tell apart; without the others it takes 20 MB less."""
    from py3langid import langid, modelio

    by_language, prior, classes, moves, rows, output = modelio.load_model(langid.MODEL_DIR / langid.MODEL_FILE)
    told_apart = {code for names in SCRIPTS.values() if len(names) > 1 for code in names}
    columns = [column for column, code in enumerate(classes) if code in told_apart]
    chosen = by_language[:, columns], prior[columns], [classes[column] for column in columns]
    return langid.LanguageIdentifier(*chosen, moves, output, norm_probs=True, tk_row=rows)
