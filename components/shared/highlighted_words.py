"""A caption as HTML with its words shaded. The caption is escaped here, so nothing of it is markup."""

from collections.abc import Sequence

from components.shared.escaping import for_html
from components.shared.palette import AWAY, BETWEEN, TOWARD, faint
from models.analysis import Span, WordEffect, WordWeight
from models.io import graphemes

_BY_LINE = "unicode-bidi:plaintext;text-align:start;"  # each line of a caption has its own direction
DRAWN_CHARACTERS = 1500  # a caption is drawn up to here; a longer one says so
Shade = tuple[int, int, str, str]
"""Start and end in characters of the caption, a CSS style, and a tooltip."""


def _caption(text: str, shades: Sequence[Shade], size: str = "1.1rem") -> str:
    parts, at = [], 0
    shown = graphemes.first(text, DRAWN_CHARACTERS)
    for start, end, style, title in sorted(shades, key=lambda shade: shade[0]):
        if start < at or end > len(shown):
            continue
        parts.append(for_html(shown[at:start]))
        attributes = f'title="{for_html(title)}" style="border-radius:4px;padding:1px 2px;{style}"'
        parts.append(f"<span {attributes}>{for_html(shown[start:end])}</span>")
        at = end
    parts.append(for_html(shown[at:]))
    rest = len(text) - len(shown)
    tail = f"<em dir='ltr'> … and {rest:,} more characters, not drawn here</em>" if rest else ""
    return (
        f'<div dir="auto" style="white-space:pre-wrap;{_BY_LINE}overflow-wrap:anywhere;line-height:1.9;font-size:{size}">'
        f"{''.join(parts)}{tail}</div>"
    )


def attended(text: str, words: Sequence[WordWeight], picked: int | None = None) -> str:
    """The caption with each word as dark as its share of the attention; the picked one is underlined."""
    most = max((word.weight for word in words), default=0.0) or 1.0
    shades = []
    for index, word in enumerate(words):
        underline = "text-decoration:underline;text-decoration-thickness:3px;" if index == picked else ""
        style = f"background:{faint(BETWEEN, 0.62 * word.weight / most)};{underline}"
        shades.append((word.start, word.end, style, f"{word.weight:.1%} of the attention"))
    return _caption(text, shades)


def weighed(text: str, words: Sequence[WordEffect]) -> str:
    """The caption with each word in the hue of its direction, as strong as its effect on the logit."""
    most = max((abs(word.effect) for word in words), default=0.0) or 1.0
    shades = []
    for word in words:
        style = f"background:{faint(TOWARD if word.effect > 0 else AWAY, 0.55 * abs(word.effect) / most)};"
        shades.append((word.start, word.end, style, f"{word.effect:+.2f} on the logit"))
    return _caption(text, shades)


def doubtful(text: str, uncertain: Sequence[Span]) -> str:
    """The caption with a dotted line under what the OCR was unsure of."""
    style = f"background:{faint(BETWEEN, 0.22)};border-bottom:2px dotted {BETWEEN};border-radius:0;"
    shades = [(start, end, style, "The OCR was not sure of this") for start, end in uncertain]
    return _caption(text, shades, "0.95rem")


def plain(text: str, *, size: str = "0.9rem") -> str:
    """A caption as one paragraph for each line, in the line's own direction."""
    return _paragraphs(text, size, "auto")


def sentences(text: str, *, size: str = "0.9rem") -> str:
    """Our own sentences, which may quote the meme, as one paragraph for each line: English, whatever they quote."""
    return _paragraphs(text, size, "ltr")


def _paragraphs(text: str, size: str, direction: str) -> str:
    style = f"margin:0 0 0.5rem;overflow-wrap:anywhere;font-size:{size}"
    lines = [for_html(line) for line in text.splitlines() if line.strip()]
    return "".join(f'<p dir="{direction}" style="{style}">{line}</p>' for line in lines)


def listed(lines: Sequence[str]) -> str:
    """Our own sentences, which may quote the meme, as a list."""
    items = "".join(f'<li dir="ltr" style="margin-bottom:0.35rem">{for_html(line)}</li>' for line in lines)
    return f'<ul style="font-size:0.9rem;padding-left:1.2rem;margin:0">{items}</ul>'
