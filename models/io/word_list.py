"""How common English words are: the word list of wordninja, by falling frequency (MIT)."""

import gzip
import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def word_costs(count: int) -> dict[str, float]:
    """-log probability of each of the `count` commonest words under Zipf's law; empty without wordninja.

    The list has 126,000 words; its tail holds misspellings and fragments.
    """
    spec = find_spec("wordninja")
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).parent / "wordninja" / "wordninja_words.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        words = [line.strip().lower() for line, _ in zip(lines, range(count), strict=False)]
    scale = math.log(len(words))
    return {word: math.log((rank + 1) * scale) for rank, word in enumerate(words) if len(word) > 1 or word in "ai"}
