"""The interface of all fusions, its outputs, and a fusion that training exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models import weights
from models.encoders.base import Tokens
from models.weights import Card

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Attention:
    """words: float32 [batch, heads, words, regions]; regions: float32 [batch, heads, regions, words].

    Each row sums to 1 over the other side's real tokens. An absent side has one token, its learned state.
    """

    words: np.ndarray
    regions: np.ndarray


@dataclass(frozen=True)
class Fused:
    """logits: float32 [batch, outputs]; attention None where the fusion has none worth showing: `unattended` says why."""

    logits: np.ndarray
    attention: Attention | None = None
    unattended: str = "This model has no attention between words and picture."


class Fusion(Protocol):
    """Picture tokens and word tokens, either of which may be absent, to logits."""

    def fuse(self, image: Tokens | None, text: Tokens | None) -> Fused:
        """One row a meme; one row if both sides are absent."""
        ...


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """The mean of each row's real tokens: (B, N, width) and bool (B, N) to (B, width); 0 without any."""
    real = mask[..., None].to(tokens.dtype)  # (B, N, 1)
    return (tokens * real).sum(1) / real.sum(1).clamp(min=1)


class FusionSession:
    """A fusion exported by `training` and run by onnxruntime. Thread-safe."""

    def __init__(self, card: Card, *, threads: int = 0) -> None:
        self.card = card
        self._session = weights.session(card, threads=threads)
        architecture = card.setting("architecture")
        self._widths = (int(architecture["image_width"]), int(architecture["text_width"]))

    def fuse(self, image: Tokens | None, text: Tokens | None) -> Fused:
        """Row i of both sides is one meme; an absent side is replaced by its learned token."""
        present = image or text
        rows = 1 if present is None else len(present.mask)  # both absent: the base of the Shapley values
        inputs = _side("image", image, rows, self._widths[0]) | _side("text", text, rows, self._widths[1])
        logits, words, regions = self._session.run(["logits", "words_to_regions", "regions_to_words"], inputs)
        if image is None:
            words, regions = words[..., :1], regions[:, :, :1]
        if text is None:
            words, regions = words[:, :, :1], regions[..., :1]
        return Fused(logits, Attention(words, regions))


def _side(name: str, tokens: Tokens | None, rows: int, width: int) -> dict[str, np.ndarray]:
    if tokens is None:
        return {name: np.zeros((rows, 2, width), np.float32), f"{name}_mask": np.zeros((rows, 2), dtype=bool)}
    return {name: tokens.tokens, f"{name}_mask": tokens.mask}
