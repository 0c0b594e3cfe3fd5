"""Where lines stand: which are kept, and in which order they are read."""

from collections.abc import Sequence
from statistics import median

from models.analysis import Box, Line
from models.ocr.recognize import Reading, is_cjk

MIN_CONFIDENCE = 0.65  # of a line; best token F1 on training memes at .65-.75 (RapidOCR keeps from .5 on)
MIN_CONFIDENCE_ALONE = 0.8  # of a line of one or two characters: texture often reads as "I", "O" or "10"
CJK_CONFIDENCE = 0.85  # of a line that is to be believed as Chinese, Japanese or Korean
CJK_SHARE = 0.5  # of its characters
PARAGRAPH = 1.2  # line heights: a gap as high as this parts two blocks
TALL = 18  # pixels: lower letters may be too small to be read, whatever their script
WIDE = 2.0  # heights: a box as wide as this holds a line of words
LEGIBLE = 0.5  # characters in as much of a line as it is high, at least; Latin and Han letters come to 1 to 2
COLUMN = 1.5  # line heights: a gap as wide as this, through all lines of a block, parts two columns


def believable(full: Reading, western: Reading) -> Reading | None:
    """The better of two decodings of one box, or None where neither is text.

    Textures (bricks, leaves, fences) read as stray Han characters. A line counts as CJK only as a whole: two such
    characters at least, half of it, and sure of itself; otherwise it is read again without CJK (`western`).
    """
    eastern = sum(map(is_cjk, full.text))
    if eastern:
        whole = eastern >= 2 and eastern >= CJK_SHARE * len(full.text.replace(" ", ""))
        if whole and full.confidence >= CJK_CONFIDENCE:
            return full
    reading = western if eastern else full
    said = sum(character.isalnum() for character in reading.text)
    least = MIN_CONFIDENCE if said > 2 else MIN_CONFIDENCE_ALONE
    return reading if said and reading.confidence >= least else None


def illegible(full: Reading, width: float, height: float) -> bool:
    """Whether a box that was not believed holds a line of words in letters unknown to the reader; sides in pixels.

    In scripts that it did not learn, "nothing here" is its likeliest answer nearly everywhere. Of 160 memes of HarMeme and
    Memotion, in English, none is taken for one with such a line.
    """
    return height >= TALL and width >= WIDE * height and len(full.text) * height < LEGIBLE * width


def in_order(lines: Sequence[Line]) -> list[Line]:
    """Reading order by recursive cuts (XY-cut, Nagy and Seth 1984): paragraphs downward, columns, then rows.

    Paragraphs come first, so that a grid of panels is read row by row; columns are looked for inside a paragraph.
    """
    if len(lines) < 2:
        return list(lines)
    height = median(line.box[3] - line.box[1] for line in lines)
    blocks = _cut(lines, axis=1, gap=PARAGRAPH * height)
    if len(blocks) > 1:
        return [line for block in blocks for line in in_order(block)]
    columns = _cut(lines, axis=0, gap=COLUMN * height)
    if len(columns) > 1 and all(len(column) > 1 for column in columns):
        return [line for column in columns for line in in_order(column)]
    return [line for row in _rows(lines) for line in row]


def _cut(lines: Sequence[Line], *, axis: int, gap: float) -> list[list[Line]]:
    """Groups along an axis (0 across, 1 down), parted by empty strips of at least `gap` pixels."""
    ordered = sorted(lines, key=lambda line: line.box[axis])
    groups = [[ordered[0]]]
    reach = ordered[0].box[axis + 2]
    for line in ordered[1:]:
        if line.box[axis] - reach >= gap:
            groups.append([])
        groups[-1].append(line)
        reach = max(reach, line.box[axis + 2])
    return groups


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines side by side (overlapping by half of the lower one's height) form a row; each row from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box[1] + line.box[3]):
        if not rows or not _beside(rows[-1][-1].box, line.box):
            rows.append([])
        rows[-1].append(line)
    return [sorted(row, key=lambda line: line.box[0]) for row in rows]


def _beside(a: Box, b: Box) -> bool:
    overlap = min(a[3], b[3]) - max(a[1], b[1])
    return overlap >= 0.5 * min(a[3] - a[1], b[3] - b[1])
