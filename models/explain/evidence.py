"""What moved the score: every number is a difference between two logits that were computed.

Picture and words share the logit by exact Shapley values. Single words and parts of the picture are taken away in turn:
Zeiler and Fergus (2014, section 4) slide a grey square over the picture. A grey square is itself something to see, so
each cell is replaced by a blurred copy of what was there, as Fong and Vedaldi (2017) propose: the colours and the
brightness stay, but nothing in the cell can be read or recognised. Drawn words are blurred with their cell while the
caption is held fixed, so a region's effect is that of its pixels alone.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

from models.analysis import Evidence, Meme, RegionEffect, Shapley, Span, WordEffect
from models.classifiers.hate import HateClassifier
from models.encoders.base import Tokens
from models.io.caption_words import words as split_words
from models.io.captions import normalize

MAX_PIECES = 2400  # word pieces that all variants of a caption may have together: it bounds the time
MIN_CHUNKS, MAX_CHUNKS = 8, 40  # captions with more words are taken apart into this many runs of neighbouring words
MAX_SIDE = 640  # pixels; a larger picture is scaled down first, as each cell takes a copy of it


def measure(
    classifier: HateClassifier, meme: Meme, image: Tokens | None, text: Tokens | None, *, base: float
) -> Evidence:
    """Shapley values of the two sides, the effect of each word and of each region. `base` is the meme's logit."""

    def sides(with_picture: bool, with_words: bool) -> float:
        shown, said = image if with_picture else None, text if with_words else None
        if shown is image and said is text:  # also with a side that the meme does not have
            return base
        return float(classifier.score_tokens(shown, said).hate[0])

    def captions(variants: list[str]) -> np.ndarray:
        """Logits beside the same picture; a blank caption is no caption."""
        blank = np.array([not normalize(variant).text for variant in variants])
        logits = np.zeros(len(variants), np.float32)
        if not blank.all():
            spoken = [variant for variant, empty in zip(variants, blank, strict=True) if not empty]
            beside = image.take([0] * len(spoken)) if image is not None else None
            logits[~blank] = classifier.score_tokens(beside, classifier.encoder.encode_texts(spoken)).hate
        if blank.any():
            logits[blank] = classifier.score_tokens(image, None).hate[0]
        return logits

    def pictures(variants: list[Image.Image]) -> np.ndarray:
        tokens = classifier.encoder.encode_images(variants)
        same = text.take([0] * len(variants)) if text is not None else None
        return classifier.score_tokens(tokens, same).hate

    words: tuple[WordEffect, ...] = ()
    if text is not None:
        most = max(MIN_CHUNKS, min(MAX_CHUNKS, MAX_PIECES // text.mask.shape[1]))
        read = max((end for _, end in text.spans[0]), default=0)  # a long caption is read up to here
        spans = [(start, end) for _, start, end in split_words(meme.caption.text, text.spans[0]) if start < read]
        words = word_effects(meme.caption.text, spans, captions, base=base, most=most)
    regions = region_effects(meme.image, pictures, base=base) if meme.image is not None else ()
    return Evidence("ok", two_player(sides), words, regions)


def two_player(logit: Callable[[bool, bool], float]) -> Shapley:
    """Splits `logit(True, True)` between picture and words: exact Shapley values for two players.

    Shapley (1953), "A value for n-person games". A player's value is its contribution averaged over the orders in which
    the players can join: alone first, or second after the other. `logit(picture, words)` is the model's logit with each
    side present or absent; it is called once for each of the four cases. A side that the meme does not have is one whose
    presence changes nothing, and gets 0. The result satisfies base + image + text = total.

    >>> two_player(lambda picture, words: 1.0 + 2.0 * picture + 3.0 * (picture and words))
    Shapley(base=1.0, image=3.5, text=1.5, interaction=3.0, total=6.0)
    """
    neither, picture, words, both = logit(False, False), logit(True, False), logit(False, True), logit(True, True)
    return Shapley(
        base=neither,
        image=((picture - neither) + (both - words)) / 2,
        text=((words - neither) + (both - picture)) / 2,
        interaction=(both - words) - (picture - neither),
        total=both,
    )


def word_effects(
    text: str, words: Sequence[Span], score: Callable[[list[str]], np.ndarray], *, base: float, most: int = MAX_CHUNKS
) -> tuple[WordEffect, ...]:
    """base - logit(caption without the word) for each word, in reading order.

    `words` are character spans of `text`; `score` gives the logits (n,) of n captions beside the same picture, and must
    take an empty one, which is what remains of a single word; `base` is the logit of the whole caption. Beyond
    `most` words the effects are those of `most` runs of neighbouring words, whose lengths differ by one word at most, so
    that the time stays bounded.
    """
    if most < 1:
        raise ValueError(f"most={most} must be at least 1")
    if not words:
        return ()
    ordered, runs = sorted(words), min(most, len(words))
    edges = [len(words) * run // runs for run in range(runs + 1)]
    chunks = [(ordered[first][0], ordered[last - 1][1]) for first, last in pairwise(edges)]
    effects = base - _logits(score, [_without(text, chunk) for chunk in chunks])
    return tuple(
        WordEffect(text=text[start:end], start=start, end=end, effect=float(effect))
        for (start, end), effect in zip(chunks, effects, strict=True)
    )


def region_effects(
    image: Image.Image, score: Callable[[list[Image.Image]], np.ndarray], *, base: float, grid: int = 4
) -> tuple[RegionEffect, ...]:
    """base - logit(picture with the cell blurred away), for the grid's cells row by row; boxes in pixels of `image`.

    `score` gives the logits (n,) of n pictures beside the same caption; `base` is the logit of the whole picture. For a
    picture that is scaled down first, `base` is measured anew, so that scaling counts for no cell. Cells without a
    pixel, in pictures smaller than the grid, are left out.
    """
    if grid < 1:
        raise ValueError(f"grid={grid} must be at least 1")
    small = image.convert("RGB")
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BILINEAR)
    # One colour for each cell, flowing into each other: no edge of its own, nothing to be read.
    blurred = small.resize((grid, grid), Image.Resampling.BOX).resize(small.size, Image.Resampling.BICUBIC)
    columns, rows = ([side * part // grid for part in range(grid + 1)] for side in small.size)
    tiles = [(left, top, right, bottom) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]
    cells = [(left, top, right, bottom) for left, top, right, bottom in tiles if left < right and top < bottom]
    pictures = [small.copy() for _ in cells]
    for picture, cell in zip(pictures, cells, strict=True):
        picture.paste(blurred.crop(cell), cell)
    if small.size == image.size:
        effects = base - _logits(score, pictures)
    else:
        whole, *rest = _logits(score, [small, *pictures])
        effects = whole - np.array(rest)
    x, y = image.width / small.width, image.height / small.height  # pixels of `image` per pixel of `small`
    return tuple(
        RegionEffect(box=(left * x, top * y, right * x, bottom * y), effect=float(effect))
        for (left, top, right, bottom), effect in zip(cells, effects, strict=True)
    )


def _without(text: str, span: Span) -> str:
    """The caption without these characters, and without the gap that they leave."""
    before, after = text[: span[0]], text[span[1] :]
    if not before.strip() or before[-1:].isspace():
        after = re.sub(r"^[^\S\n]+", "", after)
    return (before + after).strip()


def _logits(score: Callable, items: list) -> np.ndarray:
    """The scores as float64 (n,); a scorer that answers with another number of scores is a mistake in the program."""
    logits = np.asarray(score(items), dtype=np.float64)
    if logits.shape != (len(items),):
        raise ValueError(f"score gave {logits.shape} for {len(items)} items")
    return logits
