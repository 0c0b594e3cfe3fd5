"""The words of a caption as shown, for all that tells something of single words."""

from collections.abc import Sequence
from itertools import pairwise

import regex

from models.analysis import Span
from models.io.graphemes import Graphemes

_PICTOGRAPH = "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u2bff\u3030\u303d\u00a9\u00ae]"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_TAIL = "[\ufe0f\U0001f3fb-\U0001f3ff\u20e3\U000e0020-\U000e007f]*"
_LETTER = r"[\p{L}\p{N}_]"
# Also what is not seen: it is part of the word shown.
_INSIDE = r"[\p{L}\p{N}_\p{M}\u00ad\u200b-\u200f\u2060-\u2064\ufeff]"
_WORD = regex.compile(
    f"(?:{_FLAG}|[0-9#*]\ufe0f?\u20e3|{_PICTOGRAPH}{_TAIL}(?:\u200d{_PICTOGRAPH}{_TAIL})*)"
    rf"|[#@]?{_LETTER}{_INSIDE}*(?:(?:['’`´.&+-]|[*$@!]+){_INSIDE}+)*[*$]*"
)
# Scripts without spaces between words: Han, kana, Bopomofo, and those of South-east Asia (Unicode Annex 14, class SA).
_UNSPACED = regex.compile(r"[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{lb=SA}]")


def words(text: str, pieces: Sequence[Span] = ()) -> list[tuple[str, int, int]]:
    """Each word of a caption with its characters start:end; emoji are words, other marks are not.

    A word is letters and digits with the marks that people put into one (don't, co-op, f*ck, a$$, #tag, @name). In scripts
    without spaces it is what a piece of the tokenizer holds; `pieces` are the pieces' spans, as in `Tokens`. No word begins
    or ends inside a grapheme.
    """
    graphemes, spans = Graphemes(text), list[Span]()
    cuts = [] if text.isascii() else _cuts(text, pieces, graphemes)
    for match in _WORD.finditer(text):
        start, end = match.span() if text.isascii() else graphemes.widen(*match.span())
        start = max(start, spans[-1][1] if spans else 0)
        edges = [start, *(cut for cut in cuts if start < cut < end), end]
        parts = [(a, b) for a, b in pairwise(edges) if a < b]
        spans += parts if len(parts) == 1 else [part for part in parts if regex.search(_LETTER, text[slice(*part)])]
    return [(text[start:end], start, end) for start, end in spans]


def _cuts(text: str, pieces: Sequence[Span], graphemes: Graphemes) -> list[int]:
    """Where pieces end beside a character of a script without spaces, moved to the ends of graphemes."""
    # XLM-R's piece of the blank before a text has the span of the first character, and so ends inside the next piece
    inside = {at for start, end in pieces for at in range(start + 1, end)}
    ends = {graphemes.end(edge) for piece in pieces for edge in piece if edge not in inside}
    return sorted(at for at in ends if any(map(_UNSPACED.match, text[max(0, at - 1) : at + 1])))
