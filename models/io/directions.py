"""Words that are read from right to left, quoted in a sentence or beside a number that are not."""

import re
import unicodedata

_FIRST_STRONG, _POP = "\u2068", "\u2069"  # what stands between these rearranges nothing around it (Unicode Annex 9)
_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def right_to_left(text: str) -> bool:
    """Whether a letter is Arabic, Hebrew or of another script that is read from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def isolated(text: str) -> str:
    """Words to be quoted: between isolates where a letter or a control could rearrange what stands around them."""
    plain = _CONTROLS.sub("", text)
    return f"{_FIRST_STRONG}{plain}{_POP}" if plain != text or right_to_left(plain) else text
