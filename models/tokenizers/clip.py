"""Captions to CLIP's word pieces with their places in the caption.

CLIP's byte-pair vocabulary (Radford et al. 2021) comes inside open_clip's wheel; `tokenizers` runs it, because it tells
where each piece comes from. Models of open_clip with another vocabulary bring it from the hub.
"""

from __future__ import annotations

import gzip
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from models.analysis import Span
from models.errors import PartUnavailable
from models.io.captions import Normalized, normalize

MERGES = 49152 - 256 - 2  # CLIP uses this many of the file's merges
START, END = "<start_of_text>", "<end_of_text>"
# From open_clip's `SimpleTokenizer`.
WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True)
class ClipPieces:
    """ids: int64 [batch, n], 0 where a text has ended; mask: bool [batch, n]; spans and cut as in `Tokens`."""

    ids: np.ndarray
    mask: np.ndarray
    spans: tuple[tuple[Span, ...], ...]
    cut: tuple[bool, ...]


class ClipWords:
    """Safe to share between threads. `longest` pieces are read, the marks of start and end among them."""

    def __init__(
        self, longest: int = 77, tokenizer: Tokenizer | None = None, *, clean: str = "lower", pad: int = 0
    ) -> None:
        self.longest, self.pad = longest, pad
        self._tokenizer = tokenizer or byte_pairs()
        self._drop = string.punctuation if clean == "canonicalize" else ""  # SigLIP was trained without it

    def look_up(self, texts: Sequence[str]) -> ClipPieces:
        """Texts as shown; they are normalised here, and spans point back into the text as shown."""
        plain = [self._without(normalize(text)) for text in texts]
        rows = self._tokenizer.encode_batch([text.text for text in plain])
        width = min(self.longest, max((len(row.ids) for row in rows), default=0))
        ids = np.full((len(rows), width), self.pad, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=bool)
        spans: list[tuple[Span, ...]] = []
        for at, (text, row) in enumerate(zip(plain, rows, strict=True)):
            read = row.ids[:width]
            if len(row.ids) > width:
                read[-1] = row.ids[-1]  # a cut text keeps its mark of the end
            ids[at, : len(read)], mask[at, : len(read)] = read, True
            places = [text.to_shown(*span) if span[1] else (0, 0) for span in row.offsets[:width]]
            if len(row.ids) > width:
                places[-1] = (0, 0)
            spans.append(tuple(places))
        return ClipPieces(ids, mask, tuple(spans), tuple(len(row.ids) > width for row in rows))

    def _without(self, text: Normalized) -> Normalized:
        if not self._drop:
            return text
        kept = [at for at, character in enumerate(text.text) if character not in self._drop]
        return Normalized("".join(text.text[at] for at in kept), tuple(text.origins[at] for at in kept))


@cache
def byte_pairs() -> Tokenizer:
    """CLIP's own tokenizer; raises `PartUnavailable` without open_clip."""
    vocabulary, merges = _vocabulary()
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=END
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(mark, vocabulary[mark]) for mark in (START, END)]
    )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    spec = find_spec("open_clip")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    if not folders:
        raise PartUnavailable("The clip profile needs open_clip: run pip install open_clip_torch, or use mini.")
    with gzip.open(Path(folders[0]) / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : MERGES + 1]
    merges: list[tuple[str, str]] = []
    for line in lines:
        first, second = line.split()
        merges.append((first, second))
    letters = _letters()
    names = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge) for merge in merges), START, END]
    return {name: number for number, name in enumerate(names)}, merges


def _letters() -> list[str]:
    """A printable character for each byte, in the order in which CLIP numbers them (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + number) for number in range(len(others))]


def from_transformers(tokenizer: Any, longest: int, *, clean: str) -> ClipWords:
    """The fast tokenizer of another model, which already marks start and end where the model wants it."""
    return ClipWords(longest, tokenizer.backend_tokenizer, clean=clean, pad=int(tokenizer.pad_token_id or 0))
