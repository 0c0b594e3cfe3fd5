"""Captions whose language is known: data sets, our templates, Django's translations; whole, cut, and written otherwise."""

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path
from typing import Any

from models.io import language
from models.io.language import detect
from training.datasets.base import parquet_path
from training.datasets.counterfactuals import sentences

ELEVEN = ("en", "ar", "de", "es", "fr", "hi", "it", "nl", "pl", "pt", "zh")
ENGLISH = ("hate_text", "goemotions", "flickr8k")
MEMES = ("memotion", "religious_hateful", "harmeme")
LENGTHS = {"1 word": 1, "2-3 words": 3, "4-8 words": 8, "9-20 words": 20, "more words": 10**6}
CUTS = (1, 2, 3, 4, 6, 8)  # words
WRITTEN = {
    "in capitals": str.upper,
    "with emoji": "😂🔥 {} ❤️".format,
    "with name, link, tags": "@sam_92 {} https://example.org/a1 #fyp #meme".format,
}
ROMANISED = "hi-Latn"
MESSAGE = re.compile(r'^msgstr "(.*?)"$\n((?:"[^\n]*"\n)*)', re.MULTILINE)
NOT_PLAIN = re.compile(r"[%{<]|lang")


@dataclass(frozen=True)
class Sample:
    """A caption whose language is known; `source` is its data set, `templates` or `django`; `written` one of WRITTEN or blank."""

    text: str
    language: str
    source: str
    written: str = ""

    @property
    def words(self) -> int:
        """How many; two letters of Chinese, Japanese and Thai count as one."""
        shown = language.NO_WORDS.sub(" ", self.text)
        letters = sum(character.isalpha() for character in shown)
        if self.language in ("zh", "ja", "th"):
            return (letters + 1) // 2
        return sum(any(map(str.isalpha, word)) for word in shown.split())

    @property
    def length(self) -> str:
        """The name of its class in LENGTHS."""
        return next(name for name, most in LENGTHS.items() if self.words <= most)


def all_samples(data: str | None, limit: int) -> Iterator[Sample]:
    """Whole captions, parts of them, and a third of the English and the foreign ones written otherwise."""
    chance = random.Random(0)
    counts: Counter[tuple[str, str]] = Counter()
    whole = []
    for sample in _whole(data, limit):
        counts[sample.source, sample.language] += 1
        if counts[sample.source, sample.language] <= limit:
            whole.append(sample)
    yield from whole
    for sample in whole:
        words = sample.text.split()
        if sample.source in ("django", "templates") or len(words) < 5:
            continue
        count = chance.choice(CUTS)
        start = chance.randrange(max(1, len(words) - count + 1))
        yield replace(sample, text=" ".join(words[start : start + count]))
        if chance.random() < 0.3:
            written = chance.choice(list(WRITTEN))
            yield replace(sample, text=WRITTEN[written](sample.text), written=written)


def _whole(data: str | None, limit: int) -> Iterator[Sample]:
    import pandas as pd

    def read(name: str, *columns: str) -> Any:
        return pd.read_parquet(parquet_path(name, "validation", data), columns=list(columns))

    foreign = read("hate_multilingual", "text", "language", "source_set")
    for code, rows in foreign[foreign.source_set != "conan"].groupby("language"):
        texts = _some(rows.text, limit)
        if code == "hi":
            texts = [text for text in texts if _is_devanagari(text)]
        yield from (Sample(text, code, "hate_multilingual") for text in texts)
    for name in ENGLISH + MEMES:
        column = "captions" if name == "flickr8k" else "text"
        yield from (Sample(text, "en", name) for text in _some(read(name, column)[column].explode().dropna(), limit))
    for split in ("train", "validation"):
        for sentence in sentences(split, names=1):
            if sentence.language in ("nl", "pl"):
                yield Sample(sentence.text, sentence.language, "templates")
            elif sentence.language == "hi" and not _is_devanagari(sentence.text):
                yield Sample(sentence.text, ROMANISED, "templates")
    yield from catalogs()


def _some(texts: Any, limit: int) -> list[str]:
    return list(texts.sample(min(limit, len(texts)), random_state=0))


def _is_devanagari(text: str) -> bool:
    return detect(text).script == "DEVANAGARI"


def catalogs() -> Iterator[Sample]:
    """Interface texts of Django's translations into the languages that we name, and no model was measured on."""
    package = util.find_spec("django")
    if package is None or package.origin is None:
        print("Django is not installed: languages that were not measured are left out.", file=sys.stderr)
        return
    codes = {code: code for code in language.NAMES.keys() - set(ELEVEN)} | {"nb": "no", "sr_Latn": "sr"}
    for file in sorted(Path(package.origin).parent.rglob("locale/*/LC_MESSAGES/django.po")):
        code = codes.get(file.parts[-3])
        texts = {
            "".join([first, *(line[1:-1] for line in more.splitlines())]).replace("\\n", " ").replace('\\"', '"')
            for first, more in MESSAGE.findall(file.read_text(encoding="utf-8"))
        }
        if code is not None:
            yield from (Sample(text, code, "django") for text in sorted(texts) if not NOT_PLAIN.search(text))
