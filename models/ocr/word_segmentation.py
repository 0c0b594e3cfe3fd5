"""Mends glued words ("THETEMPLE"): a space goes in where the recogniser half saw one and words on both sides say so.

For each boundary between two letters the recogniser's own probability of a space is known (`Reading.gaps`); for each
stretch of letters the word list of wordninja (English, by falling frequency; MIT) tells how common it is. The cheapest
path through both (Viterbi) decides, so that neither a name unknown to the list nor a word that happens to consist of
two others ("together", "Trumpism") is broken without a trace of a gap.
"""

import math
import re
from itertools import accumulate

from models.io.word_list import word_costs
from models.ocr.recognize import Reading

WORDS_KEPT = 40_000  # the list's tail holds misspellings and fragments
MAX_WORD = 20
UNKNOWN, UNKNOWN_LETTER = 14.0, 2.0  # cost of a stretch that is no word, and of each of its letters
FAINTEST = 0.02  # below this space probability nothing is cut: words alone would break names
SUREST = 0.9  # no evidence is taken as certain
GAP_WEIGHT = 2.0
BESIDE_OTHERS = 0.15  # space probability that parts a letter from a digit or a mark
ADDRESS = re.compile(r"[@#/\\_]|\w\.\w{2,}")  # hashtags, handles, links, file names: glued on purpose
LETTERS = re.compile(r"[A-Za-z]{3,}")


def unglue(reading: Reading) -> list[int]:
    """Positions in `reading.text` before which a space is missing, rising."""
    positions: set[int] = set()
    for chunk in re.finditer(r"\S+", reading.text):
        if ADDRESS.search(chunk[0]):
            continue
        for at in range(chunk.start() + 1, chunk.end()):
            letters = reading.text[at - 1].isalpha() and reading.text[at].isalpha()
            if not letters and reading.text[at].isalnum() and reading.gaps[at] >= BESIDE_OTHERS:
                positions.add(at)
        for run in LETTERS.finditer(chunk[0]):
            start, end = chunk.start() + run.start(), chunk.start() + run.end()
            positions.update(start + cut for cut in split(run[0], reading.gaps[start:end]))
    return sorted(positions)


def split(run: str, gaps: tuple[float, ...]) -> list[int]:
    """Where to cut a run of letters: `gaps[i]` is the probability of a space before letter i."""
    costs = word_costs(WORDS_KEPT)
    lower = run.lower()
    n = len(run)
    evidence = [min(gap, SUREST) for gap in gaps]
    # joined[i]: cost of having no space before any of the letters 1..i-1
    joined = [0.0, *accumulate((-GAP_WEIGHT * math.log(1 - gap) for gap in evidence[1:]), initial=0.0)]
    best = [0.0] + [math.inf] * n
    cut_before = [0] * (n + 1)
    for end in range(1, n + 1):
        for start in range(end):
            if start and evidence[start] < FAINTEST:
                continue
            whole = start == 0 and end == n
            known = costs.get(lower[start:end]) if end - start <= MAX_WORD else None
            if known is None and not whole and end - start < 4:
                continue  # two or three letters that are no word are never cut off
            cost = UNKNOWN + UNKNOWN_LETTER * (end - start) if known is None else known
            cost += joined[end] - joined[start + 1]
            cost += best[start] - (GAP_WEIGHT * math.log(evidence[start]) if start else 0.0)
            if cost < best[end]:
                best[end], cut_before[end] = cost, start
    cuts, at = list[int](), n
    while at := cut_before[at]:
        cuts.insert(0, at)
    return cuts
