"""Captions to CLIP's word pieces with their character spans.

CLIP's byte-pair vocabulary (Radford et al. 2021) comes inside open_clip's wheel; `tokenizers` runs it, because it gives
the span of each piece. open_clip models with another vocabulary load it from the hub.
"""

import gzip
import string
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from models.errors import PartUnavailable
from models.io.captions import Normalized, normalize
from models.tokenizers.base import Pieces, encode

MERGES = 49152 - 256 - 2  # CLIP uses this many of the file's merges
START, END = "<start_of_text>", "<end_of_text>"
# From open_clip's `SimpleTokenizer`.
WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class ClipWords:
    """A CLIP tokenizer. Thread-safe; texts are cut after `max_length` pieces, start and end mark included.

    `tokenizer` is that of another model, which adds the start and end marks of its model itself.
    """

    def __init__(
        self, max_length: int = 77, tokenizer: Tokenizer | None = None, *, clean: str = "lower", pad: int = 0
    ) -> None:
        self.max_length, self.pad = max_length, pad
        self._tokenizer = tokenizer or byte_pairs()
        self._tokenizer.enable_truncation(max_length)
        self._dropped = string.punctuation if clean == "canonicalize" else ""  # SigLIP was trained without it

    def look_up(self, texts: Sequence[str]) -> Pieces:
        """Pieces of texts, which are normalised here; spans are characters of the texts as given."""
        return encode(self._tokenizer, [self._clean(normalize(text)) for text in texts], self.pad)

    def _clean(self, text: Normalized) -> Normalized:
        pairs = [pair for pair in zip(text.text, text.origins, strict=True) if pair[0] not in self._dropped]
        return Normalized("".join(character for character, _ in pairs), tuple(origin for _, origin in pairs))


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
    return tokenizer


@cache
def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    spec = find_spec("open_clip")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    if not folders:
        raise PartUnavailable("The clip profile needs open_clip: run pip install open_clip_torch, or use mini.")
    with gzip.open(Path(folders[0]) / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : MERGES + 1]
    merges = [(first, second) for first, second in map(str.split, lines)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())  # a character for each byte, as CLIP and GPT-2 number them
    pieces = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge) for merge in merges), START, END]
    return {piece: number for number, piece in enumerate(pieces)}, merges
