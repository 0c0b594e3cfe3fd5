"""The fusion's own attention, word pieces put together to words: a view of the model, not the reason for its answer.

Attention need not tell what moved an answer (Jain and Wallace 2019), which is what `evidence` measures.
"""

from collections.abc import Sequence

import numpy as np

from models.analysis import Attention, Grid, Span, WordWeight
from models.encoders.base import GRID
from models.fusion.base import Fused
from models.io.caption_words import words as split_words


def draw(fused: Fused, caption: str, spans: Sequence[Span], *, has_image: bool) -> Attention:
    """The attention of row 0, heads averaged. `spans` are those of its word tokens; empty where there are no words."""
    if fused.attention is None:
        return Attention("off", detail=fused.unattended)
    to_regions = fused.attention.words[0].mean(0)  # (W, P): each word piece over the patches
    to_words = fused.attention.regions[0].mean(0)  # (P, W): each patch over the word pieces
    if not spans:
        return Attention("no_text", regions=_grid(to_regions[0]) if has_image else ())
    shares = to_words.mean(0)[: len(spans)]
    words, grids, looks = [], [], list[int]()
    for text, start, end in split_words(caption, spans):
        pieces = [number for number, (first, last) in enumerate(spans) if first < end and last > start]
        if pieces:  # words beyond the cut have none and are left out
            words.append((text, start, end, float(shares[pieces].sum())))
            grids.append(_grid(to_regions[pieces].mean(0)) if has_image else ())
            looks += pieces
    total = sum(weight for *_, weight in words) or 1.0
    weights = tuple(WordWeight(text, start, end, weight / total) for text, start, end, weight in words)
    if not has_image:
        return Attention("no_image", words=weights)
    return Attention("ok", weights, _grid(to_regions[looks or slice(len(spans))].mean(0)), tuple(grids))


def _grid(row: np.ndarray) -> Grid:
    """49 shares as 7 rows of 7, summing to 1."""
    square = (row / (row.sum() or 1.0)).reshape(GRID, GRID)
    return tuple(tuple(float(value) for value in line) for line in square)
