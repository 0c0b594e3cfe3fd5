"""A vocabulary of single letters and a few words, with random embeddings as wide as MiniLM's."""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from models import weights

MAX_PIECES = 24  # word pieces: few enough that a test can pass them
_LETTERS = string.ascii_lowercase + string.digits + string.punctuation
_WORDS = ("we", "hate", "love", "mondays", "the", "people", "not", "good")
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *_WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS))


def write(folder: Path, *, seed: int = 0) -> None:
    """`folder` as `training.backbones.pretrained.write_vocabulary` leaves it, made without torch."""
    tokenizer = Tokenizer(models.WordPiece({piece: row for row, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(name, PIECES.index(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.random.default_rng(seed).normal(size=(len(PIECES), 384)).astype(np.float16)
    save_file({"word_embeddings": table}, folder / "model.safetensors")
    hashes = {file: weights.sha256(folder / file) for file in ("tokenizer.json", "model.safetensors")}
    card = {"name": folder.name, "parameters": table.size, "sha256": hashes}
    (folder / "config.json").write_text(json.dumps(card), encoding="utf-8")
