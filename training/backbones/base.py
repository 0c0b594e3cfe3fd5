"""The interface of a pretrained tower in a multitask model: its spec, its prepared inputs, and its trainable module.

`prepare` runs once over all rows (word pieces looked up, images decoded and resized, frozen towers run); the module runs
in every step and is trained with the rest of the model unless the tower is frozen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor, nn

from models.errors import BadInput, SubtextError

Modality = Literal["image", "text"]


class BackboneUnavailable(SubtextError):
    """A backbone's weights or its package are not on this machine and cannot be fetched."""


@dataclass(frozen=True)
class BackboneSpec:
    """What a configuration says of one modality: the encoder's spec, whether it is finetuned, and its input sizes."""

    encoder: str
    finetune: bool = False
    max_length: int = 96  # word pieces, or words
    side: int = 224  # pixels
    pooled: bool = False  # the mean token alone: as good for small heads, and a hundred times less to compute
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What follows the colon: `roberta-base` of `hf:roberta-base`."""
        return self.encoder.partition(":")[2]


class TokenStore(Protocol):
    """Prepared inputs of all rows of one modality."""

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Inputs (B, N, ...) and their mask (B, N); row -1 lacks this modality, its mask is all False."""
        ...


class Backbone:
    """The encoder of one modality. Subclasses set `input_kind`, `width`, `module`, `card` and define `prepare`.

    input_kind: what the app feeds to the exported graph (see `models/classifiers/multitask.py`). width: of a token.
    module: `module(inputs, mask)` gives (tokens, mask). card: settings for the card of the trained model. front: a frozen
    part that `prepare` has run already; the exported graph begins with it. words: the vocabulary of a backbone that learns
    its own. pretrained: False where the weights start at random.
    """

    input_kind: str
    width: int
    module: nn.Module
    card: dict[str, Any]
    front: nn.Module | None = None
    words: list[str] | None = None
    pretrained = True

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec

    def freeze_unless_finetuned(self) -> None:
        """Takes the gradients from a module that the spec does not finetune."""
        if not self.spec.finetune:
            self.module.requires_grad_(False)

    def learn_words(self, texts: Sequence[str | None]) -> None:
        """Takes the vocabulary from training texts, for a backbone that learns its own."""

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """The inputs of all rows, from texts (str or None) or pictures (bytes or None)."""
        raise NotImplementedError


def build_error(spec: BackboneSpec, error: Exception, advice: str, *, pretrained: bool = True) -> SubtextError:
    """What to raise for a library's error: `BadInput` for options that do not fit, else `BackboneUnavailable`.

    Without `pretrained` weights nothing is fetched, so that only the options can be wrong.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]  # libraries add paragraphs of advice
    reason = shorten(": ".join([type(error).__name__, *lines[:1]]), 160, placeholder=" ...")
    if isinstance(error, TypeError) or not pretrained:
        return BadInput(f"{spec.encoder} cannot be built with these options ({reason}).")
    return BackboneUnavailable(f"{spec.encoder} cannot be fetched ({reason}): {advice}.")
