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
from models.io.spellings import Piece, mend, upright

MAX_CHARACTERS = 10_000
ILLEGIBLE = (
    "Some words on the picture seem to be in a script that the text recognition (OCR) cannot read. It reads Latin letters, "
    "Chinese and Japanese: type words in Arabic, Hindi or another script yourself."
)
UNCERTAIN = 0.9  # words read with less confidence are marked: on training memes two in three of them are wrong

_TABLES = tomllib.loads(Path(__file__).with_name("lookalikes.toml").read_text(encoding="utf-8"))
_ALIKE, _BESIDE, _PLAIN = (
    {k: latin for latin, letters in _TABLES[name].items() for k in letters} for name in ("alike", "beside", "plain")
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
# Greek, Cyrillic, Armenian, Georgian, Cherokee, Canadian syllabics, Coptic, Lisu, Deseret
_OTHER = re.compile(
    r"[\u0370-\u052f\u0531-\u058f\u10a0-\u10ff\u13a0-\u167f\u2c80-\u2cff\ua4d0-\ua4ff\uab70-\uabbf\U00010400-\U0001044f]"
)
_BLOOD_TYPES = "\U0001f170\U0001f171\U0001f17e\U0001f17f"
_ZWJ, _EMOJI_STYLE = "\u200d", "\ufe0f"
_ACCENTS = r"[\u0300-\u036f\u1161-\u11ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
# Plain letters, or a letter with its accents or the parts of a Hangul syllable: what NFKC may join.
_CLUSTER = re.compile(rf"(?P<plain>[\t-\r -~]+)(?!{_ACCENTS})|.{_ACCENTS}*", re.DOTALL)


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
class IllegibleLine(Line):
    """A line that looks like writing, in letters that the reader does not know; its text is empty."""


@dataclass(frozen=True)
class PartlyRead(Caption):
    """The words of a picture that holds more text than was read.

    Lines that are missing: `left_out` since there were too many, `illegible` since the reader does not know their letters.
    """

    left_out: int = 0
    illegible: int = 0


class Reader(Protocol):
    """An OCR engine: finds the words on a picture. Thread-safe."""

    def read(self, image: Image.Image) -> list[Line]:
        """Lines in reading order, boxes in pixels of `image`; an empty list where there are no words.

        A line without text was found and left unread, since the picture holds more than is read at once, or it is an
        `IllegibleLine`.

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
        spans = self.origins[start:end]  # from right to left where letters were upside down
        return min(first for first, _ in spans), max(last for _, last in spans)


def normalize(text: str) -> Normalized:
    """Undoes what hides words from a model; what people write (case, l33t, emoji, accents) stays.

    NFKC (so also full-width and "fancy" letters), enclosed and upside-down letters, invisible and direction characters
    out, look-alikes of other scripts folded where the rest is Latin, quotes and hyphens of one shape, lines through
    letters and more than two marks on one ("zalgo") dropped, white space made one space and trimmed, and the spellings
    that `spellings.mend` undoes. A zero-width joiner stays between emoji, where it makes one picture of several.
    """
    pieces = list(_fold_words(upright(list(_characters(text)))))
    shown, spaced = "".join(character for character, _ in pieces), list[Piece]()
    for match in re.finditer(r"(\s+)|\S+", shown):
        word = pieces[match.start() : match.end()]
        spaced += [(" ", (word[0][1][0], word[-1][1][1]))] if match[1] else word
    start, end = shown[:1].isspace(), len(spaced) - shown[-1:].isspace()
    mended = mend(spaced[start:end], text)
    return Normalized("".join(character for character, _ in mended), tuple(span for _, span in mended))


def _characters(text: str) -> Iterator[Piece]:
    """NFKC of each letter with its marks; invisible characters are left out."""
    for match in _CLUSTER.finditer(text):
        if match["plain"]:
            yield from ((letter, (at, at + 1)) for at, letter in enumerate(match["plain"], match.start()))
            continue
        cluster, span = match[0], match.span()
        first = cluster[0]
        if first == _ZWJ:
            before, after = text[: span[0]].rstrip(_EMOJI_STYLE)[-1:], text[span[1] : span[1] + 1]
            if _is_emoji(before) and _is_emoji(after):
                yield first, span
            continue
        if first == _EMOJI_STYLE:
            if _is_emoji(text[span[0] - 1 : span[0]]) and not _enclosed(text, span[0] - 1):
                yield first, span
            continue
        if letter := _enclosed(text, span[0]):
            yield letter, span
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
        "\u034f\u0640\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800\ufe0e"  # letters and selectors that draw nothing
        "\u0332\u0333\u0334\u0335\u0336\u0337\u0338"  # lines under and through letters
    )


def _enclosed(text: str, at: int) -> str:
    """The letter of a flag's letter that stands alone, or in brackets, a circle or a square; "" for what is none.

    The blood types and the P for parking are emoji too: they are letters beside others only.
    """
    point = ord(text[at])
    if point < 0x249C:
        return ""
    if 0x249C <= point <= 0x24B5:
        return chr(point - 0x249C + ord("a"))
    if 0x1F1E6 <= point <= 0x1F1FF:
        beside = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
        return "" if any("\U0001f1e6" <= other <= "\U0001f1ff" for other in beside) else chr(point - 0x1F1E6 + ord("a"))
    for first in (0x1F150, 0x1F170):
        if first <= point < first + 26:
            beside = (
                text[max(0, at - 2) : at].rstrip(_EMOJI_STYLE)[-1:] + text[at + 1 : at + 3].lstrip(_EMOJI_STYLE)[:1]
            )
            letters = any(other.isalpha() or "\U0001f130" <= other <= "\U0001f189" for other in beside)
            return chr(point - first + ord("A")) if letters or text[at] not in _BLOOD_TYPES else ""
    return ""


def _is_emoji(character: str) -> bool:
    point = ord(character or "\0")
    # pictographs with skin tones; the older symbols that emoji took over; the keycaps' base is not joined by ZWJ
    return 0x1F000 <= point <= 0x1FAFF or 0x2190 <= point <= 0x2BFF or point in (0x00A9, 0x00AE, 0x203C, 0x2049)


def _fold_words(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Look-alikes become Latin in words that hold Latin letters too, and in captions that are Latin otherwise.

    A letter of another script that looks like no Latin one shows that its word is meant as it stands.
    """
    letters = "".join(character for character, _ in pieces)
    both = _BESIDE | _ALIKE
    if both.keys().isdisjoint(letters):
        yield from pieces
        return
    latin = _ALIKE.keys() >= set(_OTHER.findall(letters)) and _LATIN.search(letters) is not None
    for _, group in groupby(pieces, key=lambda piece: piece[0].isalnum() or unicodedata.combining(piece[0]) > 0):
        word = list(group)  # or what stands between two words, which holds no letter
        said = "".join(character for character, _ in word)
        mixed = _LATIN.search(said) is not None and both.keys() >= set(_OTHER.findall(said))
        table = both if mixed else _ALIKE if latin else {}
        yield from ((table.get(character, character), span) for character, span in word)


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
    illegible = sum(isinstance(line, IllegibleLine) for line in lines)
    text, left_out = "", 0
    read_lines: list[Line] = []
    uncertain: list[Span] = []
    for line in (line for line in lines if not isinstance(line, IllegibleLine)):
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
    caption = Caption(text, "ocr", tuple(read_lines), tuple(uncertain)) if read_lines else Caption()
    if illegible or (left_out and read_lines):
        return PartlyRead(**vars(caption), left_out=left_out, illegible=illegible)
    return caption


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
