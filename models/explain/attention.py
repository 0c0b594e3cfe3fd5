"""The fusion's own attention, word pieces put together to words: a view of the model, not the reason for its answer.

Attention need not tell what moved an answer (Jain and Wallace 2019), which is what `occlusion` measures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.analysis import Attention, Grid, Span, WordWeight
from models.encoders.base import GRID
from models.fusion.base import Fused
from models.io.captions import words as split_words


def draw(fused: Fused, caption: str, spans: Sequence[Span], *, has_image: bool) -> Attention:
    """The attention of row 0, heads averaged. `spans` are those of its word tokens; empty where there are no words."""
    if fused.attention is None:
        return Attention("off", detail=fused.unattended)
    to_regions = fused.attention.words[0].mean(0)  # (W, P): each word piece over the patches
    to_words = fused.attention.regions[0].mean(0)  # (P, W): each patch over the word pieces
    if not len(spans):
        return Attention("no_text", regions=_grid(to_regions[0]) if has_image else ())
    owners = _owners(caption, spans)
    shares = to_words.mean(0)[: len(spans)]
    words, grids = [], []
    for (text, start, end), pieces in owners:
        words.append((text, start, end, float(shares[pieces].sum())))
        if has_image:
            grids.append(_grid(to_regions[pieces].mean(0)))
    total = sum(weight for *_, weight in words) or 1.0
    weights = tuple(WordWeight(text, start, end, weight / total) for text, start, end, weight in words)
    if not has_image:
        return Attention("no_image", words=weights)
    looks = [piece for _, pieces in owners for piece in pieces] or list(range(len(spans)))
    return Attention("ok", weights, _grid(to_regions[looks].mean(0)), tuple(grids))


def _owners(caption: str, spans: Sequence[Span]) -> list[tuple[tuple[str, int, int], list[int]]]:
    """Each word that the model read with the indices of its pieces; words beyond the cut have none and are left out."""
    owners = []
    piece = 0
    for word in split_words(caption):
        _, start, end = word
        while piece < len(spans) and spans[piece][1] <= start:
            piece += 1
        pieces = []
        at = piece
        while at < len(spans) and (spans[at][0] < end or spans[at] == (0, 0)):
            if spans[at][1] > start:
                pieces.append(at)
            at += 1
        if pieces:
            owners.append((word, pieces))
    return owners


def _grid(row: np.ndarray) -> Grid:
    """49 shares as 7 rows of 7, summing to 1."""
    square = (row / (row.sum() or 1.0)).reshape(GRID, GRID)
    return tuple(tuple(float(value) for value in line) for line in square)
