"""Words to a `Caption`, and a caption to the normalised text that the models read, with spans in the text as shown."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from PIL import Image

from models.analysis import Caption, Line, Span
from models.errors import BadCaption

MAX_CHARACTERS = 10_000
UNCERTAIN = 0.9  # words read with less confidence are marked: on training memes two in three of them are wrong

_TABLES = tomllib.loads(Path(__file__).with_name("lookalikes.toml").read_text(encoding="utf-8"))
_ALIKE, _PLAIN = (
    {k: latin for latin, letters in _TABLES[name].items() for k in letters} for name in ("alike", "plain")
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_EASTERN = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")  # Greek and Cyrillic
_ZWJ, _EMOJI_STYLE = "\u200d", "\ufe0f"
# A letter with its accents, or the parts of a Hangul syllable: what NFKC may join.
_CLUSTER = re.compile(r".[\u0300-\u036f\u1161-\u11ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]*", re.DOTALL)
_MARKS = "".join(chr(point) for point in range(0x300, 0x1E00) if unicodedata.category(chr(point)).startswith("M"))


@dataclass(frozen=True)
class ReadWord:
    """Characters start:end of the line's text and the reader's confidence in them, 0-1."""

    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class ReadLine(Line):
    """A `Line` whose reader also tells how sure it is of each word. `from_lines` makes spans of it."""

    words: tuple[ReadWord, ...] = ()


@dataclass(frozen=True)
class PartlyRead(Caption):
    """The words of a picture that holds more text than is read; `left_out` counts the lines that are missing."""

    left_out: int = 0


class Reader(Protocol):
    """An OCR engine: finds the words on a picture. Thread-safe."""

    def read(self, image: Image.Image) -> list[Line]:
        """Lines in reading order, boxes in pixels of `image`; an empty list where there are no words.

        A line without text was found and left unread, since the picture holds more than is read at once.

        Raises `PartUnavailable` where the reader cannot run on this machine.
        """
        ...


@dataclass(frozen=True)
class Normalized:
    """`text` for the models; character i of it came from characters `origins[i]` of the text as shown."""

    text: str
    origins: tuple[Span, ...]

    def to_shown(self, start: int, end: int) -> Span:
        """The span of the shown text that text[start:end] came from; an empty span stays empty."""
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"span {start}:{end} lies outside a text of {len(self.text)} characters")
        if start == end:
            at = self.origins[start][0] if start < len(self.text) else self.origins[-1][1] if self.text else 0
            return at, at
        return self.origins[start][0], self.origins[end - 1][1]


def normalize(text: str) -> Normalized:
    """Undoes what hides words from a model; what people write (case, l33t, emoji, accents) stays.

    NFKC (so also full-width and "fancy" letters), invisible and direction characters out, Cyrillic and Greek
    look-alikes folded where the rest is Latin, quotes and hyphens of one shape, lines through letters and more than two
    marks on one ("zalgo") dropped, white space made one space and trimmed. A zero-width joiner stays between emoji,
    where it makes one picture of several.
    """
    pairs: list[tuple[str, Span]] = []
    for is_space, group in groupby(_fold_words(list(_characters(text))), key=lambda piece: piece[0].isspace()):
        pieces = list(group)
        pairs += [(" ", (pieces[0][1][0], pieces[-1][1][1]))] if is_space else pieces
    if pairs and pairs[0][0] == " ":
        del pairs[0]
    if pairs and pairs[-1][0] == " ":
        del pairs[-1]
    return Normalized("".join(character for character, _ in pairs), tuple(span for _, span in pairs))


def _characters(text: str) -> Iterator[tuple[str, Span]]:
    """NFKC of each letter with its marks; invisible characters are left out."""
    for match in _CLUSTER.finditer(text):
        cluster, span = match[0], match.span()
        first = cluster[0]
        if first == _ZWJ:
            before, after = text[: span[0]].rstrip(_EMOJI_STYLE)[-1:], text[span[1] : span[1] + 1]
            if _is_emoji(before) and _is_emoji(after):
                yield first, span
            continue
        if first == _EMOJI_STYLE:
            if _is_emoji(text[span[0] - 1 : span[0]]):
                yield first, span
            continue
        if _is_invisible(first):
            continue
        if first in _PLAIN:
            yield _PLAIN[first], span
            continue
        plain = unicodedata.normalize("NFKC", cluster[:3])
        if plain[0] == " " and len(plain) > 1:  # a free-standing accent: as " " and a mark it would cut a word in two
            plain = first
        for character in plain:
            if not _is_invisible(character):
                yield _PLAIN.get(character, character), span


def _is_invisible(character: str) -> bool:
    """Control, format (zero-width, bidi, soft hyphen, tags), private, unassigned and surrogate characters."""
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return False  # white space
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn", "Cs") or character in (
        "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800\ufe0e"  # letters and selectors that draw nothing
        "\u0332\u0333\u0334\u0335\u0336\u0337\u0338"  # lines under and through letters
    )


def _is_emoji(character: str) -> bool:
    point = ord(character or "\0")
    # pictographs with skin tones; the older symbols that emoji took over; the keycaps' base is not joined by ZWJ
    return 0x1F000 <= point <= 0x1FAFF or 0x2190 <= point <= 0x2BFF or point in (0x00A9, 0x00AE, 0x203C, 0x2049)


def _fold_words(pieces: Sequence[tuple[str, Span]]) -> Iterator[tuple[str, Span]]:
    """Look-alikes become Latin in words that hold Latin letters too, and in captions that are Latin otherwise.

    A Cyrillic or Greek letter that looks like no Latin one shows that its word is meant as it stands.
    """
    letters = "".join(character for character, _ in pieces)
    foreign = any(character not in _ALIKE for character in _EASTERN.findall(letters))
    latin = not foreign and _LATIN.search(letters) is not None
    for _, group in groupby(pieces, key=lambda piece: piece[0].isalnum() or unicodedata.combining(piece[0]) > 0):
        word = list(group)  # or what stands between two words, which holds no letter
        said = "".join(character for character, _ in word)
        own = any(character not in _ALIKE for character in _EASTERN.findall(said))
        fold = latin or (_LATIN.search(said) is not None and not own)
        yield from ((_ALIKE.get(character, character) if fold else character, span) for character, span in word)


def words(text: str) -> list[tuple[str, int, int]]:
    """The words of a caption as shown, each with its characters start:end; emoji are words, other marks are not.

    A word is letters and digits with the marks that people put into one (don't, co-op, f*ck, a$$, #tag, @name).
    """
    return [(match[0], match.start(), match.end()) for match in _WORD.finditer(text)]


_PICTOGRAPH = "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u2bff\u3030\u303d\u00a9\u00ae]"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_TAIL = "[\ufe0f\U0001f3fb-\U0001f3ff\u20e3\U000e0020-\U000e007f]*"
_INSIDE = rf"[\w\u00ad\u200b-\u200f\u2060-\u2064\ufeff{_MARKS}]"  # also what is not seen: it is part of the word shown
_WORD = re.compile(
    f"(?:{_FLAG}|[0-9#*]\ufe0f?\u20e3|{_PICTOGRAPH}{_TAIL}(?:\u200d{_PICTOGRAPH}{_TAIL})*)"
    rf"|[#@]?\w{_INSIDE}*(?:(?:['’`´.&+-]|[*$@!]+){_INSIDE}+)*[*$]*"
)


def check_length(text: str) -> None:
    """Raises `BadCaption` for more than 10,000 characters."""
    if len(text) > MAX_CHARACTERS:
        raise BadCaption(
            f"The caption has {len(text):,} characters, and at most {MAX_CHARACTERS:,} can be read: shorten it."
        )


def from_override(text: str) -> Caption:
    """The user's own words, at most 10,000 characters; blank ones mean "there are no words" (source `none`)."""
    check_length(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    # lone surrogates cannot be written as UTF-8, neither to JSON nor to a page
    text = re.sub("[\ud800-\udfff\0]", "", text)
    return Caption(text=text, source="override") if normalize(text).text else Caption()


def from_lines(lines: Sequence[Line]) -> Caption:
    """OCR lines, one a line of the caption, cut at 10,000 characters; words read with doubt become `uncertain`.

    A `PartlyRead` where lines are missing.
    """
    text, left_out = "", 0
    read_lines: list[Line] = []
    uncertain: list[Span] = []
    for line in lines:
        start = len(text) + (1 if text else 0)
        if not line.text.strip() or start + len(line.text) > MAX_CHARACTERS:
            left_out += 1
            continue
        text += ("\n" if text else "") + line.text
        read_lines.append(Line(line.text, line.confidence, line.box))
        if isinstance(line, ReadLine) and line.words:
            doubtful = [(word.start, word.end) for word in line.words if word.confidence < UNCERTAIN]
        else:
            doubtful = [(0, len(line.text))] if line.confidence < UNCERTAIN else []
        uncertain.extend((start + a, start + b) for a, b in doubtful)
    if not read_lines:
        return Caption()
    caption = Caption(text, "ocr", tuple(read_lines), tuple(uncertain))
    return PartlyRead(**vars(caption), left_out=left_out) if left_out else caption


def read(image: Image.Image | None, override: str | None, reader: Reader | None) -> Caption:
    """The override if the user gave one, else the words that the reader finds on the picture, else no words.

    `override` None means that the user gave none. A blank one counts: the user emptied the box, so the meme is judged
    without words and the OCR stays off.
    """
    if override is not None:
        return from_override(override)
    if image is None or reader is None:
        return Caption()
    return from_lines(reader.read(image))
