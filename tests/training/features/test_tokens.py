"""An encoder that counts its calls, so that a cache hit is one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.encoders.base import Tokens
from models.weights import Card
from training.features import tokens as features


class Encoder:
    """A patch is the picture's first red value, a word piece the text's length."""

    image_width, text_width = 5, 3

    def __init__(self, name: str = "first") -> None:
        self.cards = tuple(Card(side, Path(), {"name": name}, {}) for side in ("picture", "words"))
        self.calls: list[int] = []

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        self.calls.append(len(images))
        tokens = np.zeros((len(images), 49, 5), np.float32)
        tokens += np.array([image.getpixel((0, 0))[0] for image in images])[:, None, None]  # type: ignore[index]
        return Tokens(tokens, np.ones((len(images), 49), bool), np.zeros((len(images), 512)))

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        self.calls.append(len(texts))
        lengths = np.array([len(text) for text in texts])
        mask = np.arange(lengths.max()) < lengths[:, None]
        return Tokens(mask[..., None] * lengths[:, None, None] * np.ones(3), mask, np.zeros((len(texts), 512)))


def png(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = [png(red) for red in range(70)]
TEXTS = ["abcd", "ab", "abcdefgh", "a"]


def test_pictures_are_encoded_once(tmp_path: Path) -> None:
    encoder = Encoder()
    for _ in range(2):
        encoded = features.image_tokens(PICTURES, encoder, tmp_path)  # type: ignore[arg-type]
        assert encoded.tokens.shape == (70, 49, 5)
        assert encoded.tokens[:, 3, 2].tolist() == list(range(70))
    assert encoder.calls == [64, 6]


def test_texts_are_encoded_once_and_stay_in_their_order(tmp_path: Path) -> None:
    encoder = Encoder()
    for _ in range(2):
        encoded = features.text_tokens(TEXTS, encoder, tmp_path)  # type: ignore[arg-type]
        assert encoded.starts.tolist() == [0, 4, 6, 14, 15]
        assert encoded.tokens[:, 0].tolist() == [4] * 4 + [2] * 2 + [8] * 8 + [1]
    assert encoder.calls == [4]


def test_other_rows_or_other_weights_are_encoded_anew(tmp_path: Path) -> None:
    first, second = Encoder(), Encoder("second")
    for encoder, data in ((first, TEXTS), (first, TEXTS[::-1]), (second, TEXTS), (first, TEXTS), (second, TEXTS)):
        features.text_tokens(data, encoder, tmp_path)  # type: ignore[arg-type]
    assert (len(first.calls), len(second.calls)) == (2, 1)


def test_what_was_broken_off_is_not_taken_for_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Encoder):
        def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
            if self.calls:
                raise KeyboardInterrupt
            return super().encode_images(images)

    with pytest.raises(KeyboardInterrupt):
        features.image_tokens(PICTURES, Broken(), tmp_path)  # type: ignore[arg-type]
    encoder = Encoder()
    assert features.image_tokens(PICTURES, encoder, tmp_path).tokens[69, 0, 0] == 69  # type: ignore[arg-type]
    assert encoder.calls == [64, 6]


def test_of_a_long_text_the_first_pieces_are_kept(tmp_path: Path) -> None:
    encoded = features.text_tokens(TEXTS, Encoder(), tmp_path, max_pieces=3)  # type: ignore[arg-type]
    assert encoded.starts.tolist() == [0, 3, 5, 8, 9]


def test_a_batch_of_texts_is_padded_and_an_absent_one_is_masked(tmp_path: Path) -> None:
    encoded = features.text_tokens(TEXTS, Encoder(), tmp_path)  # type: ignore[arg-type]
    tokens, mask = encoded.batch([1, -1, 0])
    assert mask.tolist() == [[True, True, False, False], [False] * 4, [True] * 4]
    assert tokens[..., 0].tolist() == [[2, 2, 0, 0], [0] * 4, [4] * 4]
    assert tokens.dtype == torch.float32
    assert encoded.batch([-1, -1])[1].tolist() == [[False, False]] * 2


def test_a_batch_of_pictures_masks_the_absent_ones(tmp_path: Path) -> None:
    encoded = features.image_tokens(PICTURES[:3], Encoder(), tmp_path)  # type: ignore[arg-type]
    tokens, mask = encoded.batch([2, -1])
    assert (mask.all(1).tolist(), mask.any(1).tolist()) == ([True, False], [True, False])
    assert tokens[:, 7, 1].tolist() == [2, 0]
