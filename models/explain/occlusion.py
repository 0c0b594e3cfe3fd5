"""What the score would be without a word or without a part of the picture: each is taken away in turn.

Zeiler and Fergus (2014, section 4) slide a grey square over the picture. A grey square is itself something to see, so
each cell is replaced by a blurred copy of what was there, as Fong and Vedaldi (2017) propose: the colours and the
brightness stay, but nothing in the cell can be read or recognised. Drawn words are blurred with their cell while the
caption is held fixed, so a region's effect is that of its pixels alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

from models.analysis import RegionEffect, Span, WordEffect

MAX_CHUNKS = 40  # captions with more words are taken apart into this many runs of neighbouring words
MAX_SIDE = 640  # pixels; a larger picture is scaled down first, as each cell takes a copy of it


def word_effects(
    text: str, words: Sequence[Span], score: Callable[[list[str]], np.ndarray], *, base: float, most: int = MAX_CHUNKS
) -> tuple[WordEffect, ...]:
    """base - logit(caption without the word), a word each, in reading order.

    `words` are character spans of `text`; `score` gives the logits (n,) of n captions beside the same picture, and must
    take an empty one, which is what remains of a single word; `base` is the logit of the whole caption. Beyond
    `most` words the effects are those of `most` runs of neighbouring words, so that the time stays bounded.
    """
    if most < 1:
        raise ValueError(f"most={most} must be at least 1")
    if not words:
        return ()
    chunks = [(run[0][0], run[-1][1]) for run in _runs(sorted(words), most)]
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
    blurred = _blurred(small, grid)
    cells = _cells(small.size, grid)
    pictures = [_covered(small, blurred, cell) for cell in cells]
    if small.size == image.size:
        effects = base - _logits(score, pictures)
    else:
        whole, *rest = _logits(score, [small, *pictures])
        effects = whole - np.array(rest)
    wide, high = image.width / small.width, image.height / small.height
    return tuple(
        RegionEffect(box=(left * wide, top * high, right * wide, bottom * high), effect=float(effect))
        for (left, top, right, bottom), effect in zip(cells, effects, strict=True)
    )


def _runs(words: Sequence[Span], most: int) -> list[list[Span]]:
    """The words in order, cut into at most `most` runs whose lengths differ by one word at most."""
    edges = [len(words) * part // min(most, len(words)) for part in range(min(most, len(words)) + 1)]
    return [list(words[start:end]) for start, end in pairwise(edges)]


def _without(text: str, span: Span) -> str:
    """The caption without these characters, and without the gap that they leave."""
    before, after = text[: span[0]], text[span[1] :]
    if not before.strip() or before[-1:].isspace():
        after = re.sub(r"^[^\S\n]+", "", after)
    return (before + after).strip()


def _cells(size: tuple[int, int], grid: int) -> list[tuple[int, int, int, int]]:
    columns, rows = ([side * part // grid for part in range(grid + 1)] for side in size)
    return [
        (left, top, right, bottom)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
        if left < right and top < bottom
    ]


def _blurred(image: Image.Image, grid: int) -> Image.Image:
    """The picture with one colour for each cell, flowing into each other: no edge of its own, nothing to be read."""
    return image.resize((grid, grid), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def _covered(image: Image.Image, blurred: Image.Image, cell: tuple[int, int, int, int]) -> Image.Image:
    covered = image.copy()
    covered.paste(blurred.crop(cell), cell)
    return covered


def _logits(score: Callable, items: list) -> np.ndarray:
    """The scores as float64 (n,); a scorer that answers with another number of scores is a mistake in the program."""
    logits = np.asarray(score(items), dtype=np.float64)
    if logits.shape != (len(items),):
        raise ValueError(f"score gave {logits.shape} for {len(items)} items")
    return logits
