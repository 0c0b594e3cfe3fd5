"""Another way to read a caption, where one is possible and not certain: digits and stars for letters, glued words, a word
in two parts, letters that changed places.

Only words that a list knows come out, so that prices, dates, formulas and the names of models stay as they are written.
The list is English: of other languages only hashtags with capitals are taken apart.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from math import inf
from pathlib import Path

from models.io.captions import Normalized, normalize
from models.io.spellings import Piece
from models.io.word_list import word_costs
from models.reading import Respelled

COMMON, ALL = 40_000, 200_000  # words of the list that short and glued words must be among, and any other
MAX_PART = 16  # letters
GLUED, TAGGED = 8, 6  # letters of the shortest glued words and hashtags that are taken apart
RARE_PART, RARE_SHORT_PART = 12.0, 10.0  # costs of the rarest part of glued words: four letters or more, and three
COST_PER_LETTER = 2.3  # of glued words altogether
FAMILIAR = 9.5  # cost of a word of three letters, common enough to be written with digits
FOREIGN = 0.5  # of the words; where more are unknown, the text is hardly English
SEVERAL = 5  # words
MAX_SIGNS = 6  # of a word with digits, since each may be two letters

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_LEET: dict[str, str] = _TABLE["leet"]
_SPOKEN: dict[str, str] = _TABLE["spoken"]
_HIDDEN, _SHORT, _ABBREVIATED, _BEFORE, _BEHIND, _ENGLISH = (  # in their order, and quick to be searched
    dict.fromkeys(_TABLE["words"][name].split())
    for name in ("hidden", "short", "abbreviated", "before", "behind", "english")
)
_CORE = re.compile(r"[\w@$€£!|+*#.-]*[\w*$€£]")
_TAG = re.compile(r"#([^\W_]{3,})")
_HUMPS = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_LEET_WORD = re.compile(r"[A-Za-z\d@$€£!|+]+")
_STARRED = re.compile(r"[A-Za-z]+(?:[*#]+[A-Za-z]+)+")
_SIGNED = re.compile(r"[A-Za-z]{2,}[.\-_*/+~|][A-Za-z]{2,}")
_LETTERS = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class OtherReading(Normalized):
    """A caption as it may have been meant; `changes` are in characters of the caption."""

    changes: tuple[Respelled, ...] = ()


def readings(text: str) -> tuple[Normalized, ...]:
    """A caption as it is written, which may be blank, and where it may have been meant otherwise an `OtherReading`."""
    said = normalize(text)
    changes = tuple(_changes(said))
    if not changes:
        return (said,)
    pieces, at = list[Piece](), 0
    plain = list(zip(said.text, said.origins, strict=True))
    for change in changes:
        pieces += plain[at : change.start] + _aligned(plain[change.start : change.end], change.text)
        at = change.end
    pieces += plain[at:]
    shown = tuple(Respelled(change.text, *said.to_shown(change.start, change.end)) for change in changes)
    return said, OtherReading("".join(sign for sign, _ in pieces), tuple(span for _, span in pieces), shown)


def _aligned(pieces: Sequence[Piece], read: str) -> list[Piece]:
    """What is read, each character with the span of what it was written as; a blank between two letters has none."""
    if len(read) == len(pieces) and " " not in read:
        return [(sign, span) for sign, (_, span) in zip(read, pieces, strict=True)]
    letters = [span for sign, span in pieces if sign.isalnum()]
    if len(read.replace(" ", "")) != len(letters):
        return [(sign, (pieces[0][1][0], pieces[-1][1][1])) for sign in read]
    aligned, at = list[Piece](), 0
    for sign in read:
        aligned.append((sign, letters[at] if sign != " " else (letters[at][0], letters[at][0])))
        at += sign != " "
    return aligned


def _changes(said: Normalized) -> Iterator[Respelled]:
    chunks = [(chunk[0], chunk.start()) for chunk in re.finditer(r"\S+", said.text)]
    context = _Context(said.text)
    before: Respelled | None = None
    for number, (chunk, at) in enumerate(chunks):
        core = _CORE.search(chunk)
        if core is None or (before and at < before.end):
            continue
        start, end = at + core.start(), at + core.end()
        first, last = said.to_shown(start, end)
        read = _respelled(core[0], context, stood_apart=last - first > end - start)
        if not read and core[0] == chunk and number + 1 < len(chunks):
            second = re.match(r"[A-Za-z]+(?!\w)", chunks[number + 1][0])
            if second and _is_split(chunk, second[0]) and context.english:
                end, read = chunks[number + 1][1] + second.end(), chunk + second[0]
        if read:
            before = Respelled(read, start, end)
            yield before


class _Context:
    """The text around a word, looked at once it matters."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def english(self) -> bool:
        """Whether few of the words are unknown, one at least being allowed, and one of several is such as English has."""
        words = re.findall(r"[^\W\d_]+(?:'[a-z]+)?", self._text.lower())
        unknown = sum(not _is_known(word.partition("'")[0]) for word in words if len(word) > 1)
        return unknown <= max(1, FOREIGN * len(words)) and (
            len(words) < SEVERAL or not _ENGLISH.keys().isdisjoint(words)
        )

    @cached_property
    def leet(self) -> bool:
        """Whether a word has digits for letters without a doubt."""
        return any(_without_leet(core[0]) for core in _CORE.finditer(self._text))


def _respelled(word: str, context: _Context, *, stood_apart: bool) -> str:
    """The word as it may be meant; "" where it is meant as it stands."""
    read = ""
    if tag := _TAG.fullmatch(word):
        read = _untagged(tag[1])
    elif _LETTERS.fullmatch(word):
        if not _is_known(word) and context.english:
            read = _unglued(word, 0) if stood_apart else _unglued(word, GLUED) or _unswapped(word)
    elif _STARRED.fullmatch(word):
        read = _unhidden(word)
    elif _LEET_WORD.fullmatch(word):
        read = _without_leet(word) or (_without_leet(word, outer=True) if context.leet else "")
    elif _SIGNED.fullmatch(word) and context.english:
        read = _unsigned(word)
    return read


def _is_known(word: str) -> bool:
    """Whether the list has it; words of up to four letters must be among its commoner ones."""
    word = word.lower()
    return word in word_costs(COMMON if len(word) < 5 else ALL) or word in _HIDDEN


def _without_leet(word: str, *, outer: bool = False) -> str:
    """1mm1gr4nts, b1tch, a$$: a sign stands between letters, or is no digit. Not 4th, covid19, B2B, G4S.

    With `outer` digits at either end will do: other words of the text have some.
    """
    lower = word.lower()
    if lower in _SPOKEN:
        return _SPOKEN[lower]
    signs = [at for at, sign in enumerate(lower) if sign in _LEET]
    letters = sum(sign.isalpha() for sign in lower)
    if not signs or len(signs) > MAX_SIGNS or letters < max(1, len(signs) - 1) or len(signs) + letters < len(word):
        return ""
    if not outer and re.fullmatch(r"[\d$€£+]*[a-z]+[\d+!|]*", lower):  # a number, a price, a version beside letters
        return ""
    options = [_LEET.get(sign, sign) for sign in lower]
    words = {"".join(letters) for letters in product(*options)}
    if lower[0] == "@" and len(word) > 3 and _is_known(lower[1:]):  # somebody's name
        return ""
    likely = [candidate for candidate in words if _is_known(candidate) and _is_familiar(candidate, word)]
    best = min(likely, key=lambda candidate: (candidate not in _HIDDEN, _cost(candidate)), default="")
    return best.upper() if word.isupper() and best else best


def _is_familiar(candidate: str, word: str) -> bool:
    """Names of models are as short and in capitals: so short a word must be a common one, in small letters."""
    if len(candidate) > 3 or candidate in _HIDDEN:
        return True
    return len(candidate) == 3 and not word.isupper() and _cost(candidate) < FAMILIAR


def _cost(word: str) -> float:
    return word_costs(ALL).get(word, 0.0 if word in _HIDDEN else inf)


def _unhidden(word: str) -> str:
    """m*slims, f**k: a word that people hide, or else the only word that fits."""
    pattern = re.compile(re.sub("[*#]", "[a-z]", word.lower()))
    candidates = [hidden for hidden in _HIDDEN if pattern.fullmatch(hidden)]
    if not candidates and len(word) > 4 and len(re.findall("[*#]", word)) == 1:
        candidates = [other for other in _by_length(len(word)) if pattern.fullmatch(other)]
        if len(candidates) > 1:
            return ""
    return candidates[0] if candidates else ""


@cache
def _by_length(length: int) -> list[str]:
    return [word for word in word_costs(COMMON) if len(word) == length]


def _unsigned(word: str) -> str:
    """immi-grants, mus.lims: together they are a word, and apart they are not both words."""
    first, second = _LETTERS.findall(word)
    return first + second if _is_split(first, second) else ""


def _is_split(first: str, second: str) -> bool:
    """Whether two neighbours are the parts of a word: together they are one, and not both are words by themselves."""
    if not first.isascii() or not first.isalpha() or min(len(first), len(second)) < 2 or len(first + second) < 5:
        return False
    if second.lower() in _ABBREVIATED or (_is_known(first) and _is_known(second)):
        return False
    return (first + second).lower() in word_costs(COMMON) or (first + second).lower() in _HIDDEN


def _untagged(tag: str) -> str:
    """#KillAllMuslims, #killallmuslims."""
    parts = _HUMPS.split(tag)
    if len(parts) > 1:
        return " ".join(parts) if all(len(part) > 1 or part in "AI" for part in parts) else ""
    return "" if _is_known(tag) else _unglued(tag, TAGGED)


def _unglued(word: str, shortest: int) -> str:
    """killallmuslims: words that the list knows, by the cheapest way (Viterbi). Not names such as Nishit.

    `shortest` 0 is for letters that stood apart: they are no name.
    """
    lower, costs = word.lower(), word_costs(COMMON)
    if len(word) < shortest or not word.isascii() or not word.isalpha():
        return ""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(lower) + 1):
        ways = [
            (best[start][0] + cost, start)
            for start in range(max(0, end - MAX_PART), end)
            if (cost := costs.get(lower[start:end], inf)) < _limit(lower[start:end])
        ]
        best.append(min(ways, default=(inf, end)))
    if best[-1][0] >= (COST_PER_LETTER * len(word) if shortest else inf):
        return ""
    parts, at = list[str](), len(word)
    while at:
        parts.insert(0, word[best[at][1] : at])
        at = best[at][1]
    return " ".join(parts) if len(parts) > 1 and (not shortest or _is_glued(parts)) else ""


def _is_glued(parts: Sequence[str]) -> bool:
    """Not a compound such as underpaid or harmless, nor a name, nor a plural of another language (islamic-a)."""
    lower = [part.lower() for part in parts]
    if len(parts) > 2:
        return len(lower[-1]) > 1 and sum(len(part) < 3 for part in lower) * 2 <= len(lower)
    compound = lower[0] in _BEFORE or lower[1] in _BEHIND
    return not compound and min(map(len, lower)) > 2 and not "".join(parts).istitle()


def _limit(part: str) -> float:
    """The cost from which a part of glued words is too rare to be one."""
    if len(part) < 3:
        return inf if part in _SHORT else 0.0
    return RARE_SHORT_PART if len(part) == 3 else RARE_PART


def _unswapped(word: str) -> str:
    """musilms: the only common word with two neighbours in each other's place. Not names."""
    if len(word) < 5 or word.istitle():
        return ""
    swapped = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    likely = [candidate for candidate in swapped if candidate.lower() in word_costs(COMMON // 2)]
    return likely[0] if len(likely) == 1 else ""
