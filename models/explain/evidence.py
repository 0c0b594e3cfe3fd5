"""What moved the score: every number is a difference between two logits that were computed."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.analysis import Evidence, Meme, WordEffect
from models.classifiers.hate import HateClassifier
from models.encoders.base import Tokens
from models.explain.occlusion import MAX_CHUNKS, region_effects, word_effects
from models.explain.shapley import two_player
from models.io.captions import normalize
from models.io.captions import words as split_words

MAX_PIECES = 2400  # word pieces that all variants of a caption may have together: it bounds the time
MIN_CHUNKS = 8


def measure(
    classifier: HateClassifier, meme: Meme, image: Tokens | None, text: Tokens | None, *, base: float
) -> Evidence:
    """Shapley values of the two sides, the effect of each word and of each region. `base` is the meme's logit."""

    def sides(with_picture: bool, with_words: bool) -> float:
        shown, said = image if with_picture else None, text if with_words else None
        if shown is image and said is text:  # also with a side that the meme does not have
            return base
        return float(classifier.score_tokens(shown, said).hate[0])

    def captions(variants: list[str]) -> np.ndarray:
        return _logits(classifier, image, variants)

    def pictures(variants: list[Image.Image]) -> np.ndarray:
        tokens = classifier.encoder.encode_images(variants)
        same = text.take([0] * len(variants)) if text is not None else None
        return classifier.score_tokens(tokens, same).hate

    words: tuple[WordEffect, ...] = ()
    if text is not None:
        most = max(MIN_CHUNKS, min(MAX_CHUNKS, MAX_PIECES // text.mask.shape[1]))
        read = max((end for _, end in text.spans[0]), default=0)  # a long caption is read up to here
        spans = [(start, end) for _, start, end in split_words(meme.caption.text) if start < read]
        words = word_effects(meme.caption.text, spans, captions, base=base, most=most)
    regions = region_effects(meme.image, pictures, base=base) if meme.image is not None else ()
    return Evidence("ok", two_player(sides), words, regions)


def _logits(classifier: HateClassifier, image: Tokens | None, texts: list[str]) -> np.ndarray:
    """Logits of captions beside the same picture, whose tokens are there already; a blank caption is no caption."""
    logits = np.zeros(len(texts), np.float32)
    spoken = [row for row, text in enumerate(texts) if normalize(text).text]
    if spoken:
        beside = image.take([0] * len(spoken)) if image is not None else None
        logits[spoken] = classifier.score_tokens(
            beside, classifier.encoder.encode_texts([texts[r] for r in spoken])
        ).hate
    silent = [row for row, text in enumerate(texts) if not normalize(text).text]
    if silent:
        logits[silent] = classifier.score_tokens(image, None).hate[0]
    return logits
