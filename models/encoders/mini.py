"""The `mini` towers on onnxruntime: EfficientNet-Lite0 patches and MiniLM-L6 word pieces, no torch in the process.

Pictures: Liu 2020, EfficientNet-Lite (Tan and Le 2019); 224x224, the whole picture squashed so that the 7x7 grid
covers all of it. Words: MiniLM-L6 (Wang et al. 2020), fine-tuned by `training fit mini_words`; a token is the third
layer's state beside the last one's: what the pretrained model knew beside what it learnt about hate.

`pooled` is the towers' own projection and not the joint space of the search (`models/search/joint_space.py`). Measured for a linear
hate classifier out of fold (`benchmarks/joint_for_hate.py`, figures in `benchmarks/results/joint_for_hate.json`): the joint space's
vectors in its place tell hateful memes no better and harmful ones a little better (AUROC +.012); both side by side do a little
better (+.022, +.008), at the price of two further towers a meme. The verdict itself reads tokens, not `pooled`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from models import weights
from models.encoders.base import GRID, JOINT, Tokens
from models.io.images import preprocess
from models.tokenizers.wordpieces import Vocabulary, WordPieces
from models.weights import Card

SIDE = 224
PICTURES_AT_ONCE = 4  # more take memory and save no time
TEXTS_AT_ONCE = 16


class MiniEncoder:
    """Both towers and the two projections into the joint space of 512. Safe to share between threads."""

    image_width = 1280
    text_width = 768

    def __init__(self, vocabulary: Vocabulary | None = None, *, threads: int = 0) -> None:
        self.vocabulary = vocabulary or Vocabulary()
        self.cards: tuple[Card, ...] = tuple(weights.card(name) for name in ("mini_picture", "mini_words"))
        self._picture, self._words = (weights.session(card, threads=threads) for card in self.cards)

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        """tokens [batch, 49, 1280]: the patches row by row from the upper left."""
        if not images:
            empty = np.zeros((0, GRID * GRID, self.image_width), np.float32)
            return Tokens(empty, np.zeros(empty.shape[:2], bool), np.zeros((0, JOINT), np.float32))
        parts = []
        for start in range(0, len(images), PICTURES_AT_ONCE):
            batch = images[start : start + PICTURES_AT_ONCE]
            pixels = np.stack([preprocess(image, SIDE) for image in batch])  # (B, 3, 224, 224)
            parts.append(self._picture.run(["tokens", "pooled"], {"pixels": pixels}))
        tokens, pooled = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Tokens(tokens, np.ones(tokens.shape[:2], dtype=bool), pooled)

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """tokens [batch, n, 768] where n is the longest text's number of word pieces."""
        return self.encode_pieces(self.vocabulary.look_up(texts))

    def encode_pieces(self, pieces: WordPieces) -> Tokens:
        """As `encode_texts`, for word pieces that were looked up already."""
        rows, longest = pieces.mask.shape
        tokens = np.zeros((rows, longest, self.text_width), np.float32)
        pooled = np.zeros((rows, JOINT), np.float32)
        lengths = pieces.mask.sum(1)
        order = np.argsort(lengths, kind="stable")  # like lengths together: little is spent on padding
        for start in range(0, rows, TEXTS_AT_ONCE):
            some = order[start : start + TEXTS_AT_ONCE]
            width = int(lengths[some].max())
            fed = {"embedded": pieces.embedded[some, :width], "mask": pieces.mask[some, :width]}
            tokens[some, :width], pooled[some] = self._words.run(["tokens", "pooled"], fed)
        return Tokens(tokens, pieces.mask.astype(bool), pooled, pieces.spans, pieces.cut)
