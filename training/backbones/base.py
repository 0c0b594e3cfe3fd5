"""What stands between a data set's rows and a fusion: prepared inputs, and the module that makes tokens of them.

Preparing happens once (word pieces looked up, pictures decoded and squashed, frozen towers run); the module runs in
every step and is trained with the rest unless the encoder is frozen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from models.errors import SubtextError


class EncoderUnavailable(SubtextError):
    """An encoder's weights or its package are not on this machine and cannot be fetched."""


def reason(error: Exception) -> str:
    """The error's kind and its first line, shortened: libraries add paragraphs of advice to theirs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shorten(": ".join([type(error).__name__, *lines[:1]]), 160, placeholder=" ...")


class Store(Protocol):
    """Prepared inputs of all rows of one side."""

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Inputs (B, N, ...) and their mask (B, N); row -1 lacks this side, its mask is all False."""
        ...


class SideEncoder(Protocol):
    """One side of one system, built from its spec.

    `reads` names what the app has to feed its graph with (see `models/classifiers/multitask.py`); `settings` go into the card. A
    `front`, where there is one, is the frozen part that `prepare` has run already: the shipped graph begins with it.
    """

    spec: str
    width: int
    reads: str
    module: nn.Module
    settings: dict[str, Any]

    def prepare(self, data: Sequence[Any]) -> Store:
        """Texts (str or None) or pictures (bytes or None) to what `module(inputs, mask) -> (tokens, mask)` takes."""
        ...


@dataclass(frozen=True)
class Asked:
    """What a recipe says of one side: the spec, whether its tower is trained, how long a text may be, and the rest."""

    encoder: str
    tune: bool = True
    longest: int = 96  # word pieces
    side: int = 224  # pixels
    pooled: bool = False  # the mean token alone: as good for small heads, and a hundred times less to compute
    clean: bool = False  # words lower-cased and freed of special characters
    options: Mapping[str, Any] = field(default_factory=dict)


class Through(nn.Module):
    """Tokens that come ready: what is left of a frozen tower."""

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return tokens, mask
