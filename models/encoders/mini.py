"""The `mini` encoder on onnxruntime: EfficientNet-Lite0 patches and pieces of words by multilingual E5, no torch in the process.

Pictures: EfficientNet-Lite (Liu 2020; Tan and Le 2019); 224x224, the whole picture squashed so that the 7x7 grid
covers all of it. Words: multilingual-e5-small (Wang et al. 2024), finetuned by `training fit mini_words`; a token is the
fourth of twelve layers' state beside the last one's: what the pretrained model knew, and what it learned about hate.

`pooled` is the encoder's own projection, not the joint space of the search (`models/search/joint_space.py`), which
`benchmarks/joint_for_hate.py` compares with it. The verdict reads tokens, not `pooled`.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from models import weights
from models.encoders.base import JOINT, Tokens, encode_in_batches
from models.io.images import preprocess
from models.tokenizers.wordpieces import Vocabulary
from models.weights import Card

SIDE = 224
IMAGE_BATCH_SIZE = 4  # more take memory and save no time
TEXT_BATCH_SIZE = 16


class MiniEncoder:
    """Both towers and their two projections into 512 numbers. Thread-safe."""

    image_width = 1280
    text_width = 768

    def __init__(self, vocabulary: Vocabulary | None = None, *, threads: int = 0) -> None:
        self.vocabulary = vocabulary or Vocabulary()
        self.cards: tuple[Card, ...] = tuple(weights.card(name) for name in ("mini_picture", "mini_words"))
        self._picture, self._words = (weights.session(card, threads=threads) for card in self.cards)

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        """tokens [batch, 49, 1280]: the patches row by row from the upper left."""
        return encode_in_batches(images, IMAGE_BATCH_SIZE, self._image_tokens, (self.image_width, JOINT))

    def _image_tokens(self, images: Sequence[Image.Image]) -> Sequence[np.ndarray]:
        pixels = np.stack([preprocess(image, SIDE) for image in images])  # (B, 3, 224, 224)
        return self._picture.run(["tokens", "pooled"], {"pixels": pixels})

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """tokens [batch, n, 768]; n is the number of word pieces of the longest text."""
        pieces = self.vocabulary.look_up(texts)
        tokens = np.zeros((*pieces.mask.shape, self.text_width), np.float32)
        pooled = np.zeros((len(pieces.mask), JOINT), np.float32)
        for rows, inputs in pieces.batches(TEXT_BATCH_SIZE):
            width = inputs["mask"].shape[1]
            tokens[rows, :width], pooled[rows] = self._words.run(["tokens", "pooled"], inputs)
        return Tokens(tokens, pieces.mask.astype(bool), pooled, pieces.spans, pieces.cut)
