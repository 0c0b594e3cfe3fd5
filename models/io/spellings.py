"""Spellings that hide words and can be undone for certain: upside-down letters, letters that stand apart, words broken by
a line's end, letters written over and over. Where it is not certain, `readings` offers another reading.

A piece is a character and the span of the text as shown that it came from.
"""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

from models.analysis import Span
from models.io.word_list import word_costs

Piece = tuple[str, Span]
KNOWN = 40_000  # words of the list
ENOUGH = 4  # letters that must stand apart in a row; fewer may be initials
ENOUGH_TURNED = 3  # different letters that can only be upside down
LETTER = "[A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ԯא-תء-غف-ي]"  # of scripts whose words have many letters

_TURNED = {
    turned: upright
    for upright, letters in tomllib.loads(Path(__file__).with_name("lookalikes.toml").read_text(encoding="utf-8"))[
        "turned"
    ].items()
    for turned in letters
}
_UPRIGHT = (
    {sign: sign for sign in 'losxzHINOSXZi08-"*'}
    | dict(zip("bqdpnuMW69,'()[]", "qbpdunWM96',)(][", strict=True))
    | _TURNED
)
_ENDS = r"(?<![^\W_]){}(?![^\W_])"
# The signs between letters are all the same; a blank, after such a sign or not, ends a word.
_SIGNED = re.compile(
    _ENDS.format(
        rf"{LETTER}(?P<sep> ?(?P<sign>[^\w\s,;:()\[\]\"'<>+=&@]|_)\ufe0f? ?){LETTER}(?:(?P=sep){LETTER})*"
        rf"(?:(?P=sign)? {LETTER}(?:(?P=sep){LETTER})+)*"
    )
)
_BLANKS = re.compile(_ENDS.format(rf"{LETTER}(?: {LETTER}){{{ENOUGH - 1},}}"))
_BROKEN = re.compile(rf"(?<![^\W_])({LETTER}{{2,}})(-?)( )(?=({LETTER}{{2,}})(?![^\W_]))")
_REPEATED = re.compile(rf"({LETTER})\1{{2,}}", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_ROMAN = re.compile(r"[IVXLCDM]+|[ivxlcdm]+")


def upright(pieces: list[Piece]) -> list[Piece]:
    """Lines of upside-down letters, read from their other end. Only where several letters can be nothing else."""
    text = _text(pieces)
    if len(_TURNED.keys() & set(text)) < ENOUGH_TURNED:
        return pieces
    mended = list(pieces)
    for line in re.finditer(r"[^\n]+", text):
        words = list(re.finditer(r"\S+", line[0]))
        turned = [all(letter in _UPRIGHT for letter in word[0]) for word in words]
        clear = [not _TURNED.keys().isdisjoint(word[0]) for word in words]
        if all(turned):
            runs = [(0, len(words))]
        else:  # beside upright words, those that only may be upside down count where they stand between sure ones
            runs = _runs([a and b for a, b in zip(turned, clear, strict=True)], turned)
        for first, last in runs:
            start, end = line.start() + words[first].start(), line.start() + words[last - 1].end()
            if len(_TURNED.keys() & set(text[start:end])) >= ENOUGH_TURNED:
                mended[start:end] = [(_UPRIGHT.get(sign, sign), span) for sign, span in reversed(pieces[start:end])]
    return mended


def _runs(sure: list[bool], possible: list[bool]) -> list[Span]:
    """The longest runs of possible items that begin and end with a sure one."""
    runs: list[Span] = []
    start: int | None = None
    for number in range(len(sure)):
        if not possible[number]:
            start = None
        elif sure[number]:
            if start is None:
                runs.append((start := number, number + 1))
            else:
                runs[-1] = (start, number + 1)
    return runs


def mend(pieces: list[Piece], shown: str) -> list[Piece]:
    """Words put together from letters that stand apart and from halves on two lines, and letters at most twice in a row.

    White space in `pieces` is one blank; what it was stands in the text as shown.
    """
    for join in (_join_signed, _join_blanks, _join_lines, _shorten):
        pieces = join(pieces, shown)
    return pieces


def _text(pieces: list[Piece]) -> str:
    return "".join(sign for sign, _ in pieces)


def _without(pieces: list[Piece], gone: set[int]) -> list[Piece]:
    return [piece for number, piece in enumerate(pieces) if number not in gone] if gone else pieces


def _join_signed(pieces: list[Piece], shown: str) -> list[Piece]:
    """h.a.t.e, s_t_u_p_i_d, k - i - l - l: all runs beside each other, if one of them is long enough."""
    gone = set[int]()
    for match in _SIGNED.finditer(_text(pieces)):
        separator = re.escape(match["sep"])
        runs = list(re.finditer(rf"{LETTER}(?:{separator}{LETTER})+", match[0]))
        if max((1 + run[0].count(match["sign"]) for run in runs), default=0) < ENOUGH or _is_list(match[0]):
            continue
        for run in runs:
            gone |= {match.start() + run.start() + at for at, sign in enumerate(run[0]) if not re.match(LETTER, sign)}
    return _without(pieces, gone)


def _join_blanks(pieces: list[Piece], shown: str) -> list[Piece]:
    """k i l l: the narrowest gaps are inside words, wider ones and line ends between them."""
    gone = set[int]()
    for match in _BLANKS.finditer(_text(pieces)):
        if _is_list(match[0]):
            continue
        gaps = {at: _width(pieces[at][1], shown) for at in range(match.start() + 1, match.end(), 2)}
        narrowest = min(gaps.values())
        gone |= {at for at, width in gaps.items() if width == narrowest}
    return _without(pieces, gone)


def _width(span: Span, shown: str) -> int:
    """Characters of a gap; a line's end is wider than any other."""
    gap = shown[slice(*span)]
    return len(gap) + 10 * len(shown) * ("\n" in gap)


def _is_list(run: str) -> bool:
    """Letters in the order of the alphabet, or hardly more than two different: nobody spells a word so."""
    letters = re.findall(LETTER, run.casefold())
    return len(set(letters)) < 3 or all(ord(b) - ord(a) == 1 for a, b in pairwise(letters))


def _join_lines(pieces: list[Piece], shown: str) -> list[Piece]:
    """immi-(line's end)grants is one word. Two words with a hyphen after the first, such as well-known, keep it."""
    gone = set[int]()
    for match in _BROKEN.finditer(_text(pieces)):
        start, end = pieces[match.start(3)][1]
        soft = shown[max(0, start - 1) : end].count("\u00ad")
        if "\n" not in shown[start:end] or not (match[2] or soft):
            continue
        gone.add(match.start(3))
        known, (first, second) = word_costs(KNOWN), (match[1].lower(), match[4].lower())
        two_words = first in known and second in known and first + second not in known
        a_name = match[1][-1].islower() and match[4][0].isupper()
        if match[2] and (soft or not (two_words or a_name)):
            gone.add(match.start(2))
    return _without(pieces, gone)


def _shorten(pieces: list[Piece], shown: str) -> list[Piece]:
    """haaaate to haate; www, KKK, XXXL, kkkkk and other words that mean it stay."""
    text, gone = _text(pieces), set[int]()
    if not _REPEATED.search(text):
        return pieces
    for word in _WORD.finditer(text):
        if len(set(word[0].casefold())) == 1 or _ROMAN.fullmatch(word[0]):
            continue
        for run in _REPEATED.finditer(word[0]):
            if run[0].casefold() not in ("kkk", "www", "xxx"):
                gone |= set(range(word.start() + run.start() + 2, word.start() + run.end()))
    return _without(pieces, gone)
