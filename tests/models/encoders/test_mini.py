"""Both towers: the graphs are the modules, and neither batch nor order changes a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from models.encoders.mini import IMAGE_BATCH_SIZE, SIDE, TEXT_BATCH_SIZE, MiniEncoder
from models.errors import BadWeights
from models.io.images import IMAGENET_MEAN, IMAGENET_STD, preprocess

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny


@pytest.fixture
def encoder(shelf: Tiny) -> MiniEncoder:
    return MiniEncoder(threads=1)


def noise(count: int, size: tuple[int, int] = (90, 60)) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)) for _ in range(count)]


def test_a_picture_is_squashed_and_standardised() -> None:
    pixels = preprocess(Image.new("RGB", (300, 100), (255, 0, 128)), SIDE)
    assert (pixels.shape, pixels.dtype) == ((3, SIDE, SIDE), np.float32)
    expected = (np.array([255, 0, 128]) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(pixels, np.broadcast_to(expected[:, None, None], pixels.shape), atol=1e-5)
    halves = Image.new("RGB", (300, 100))
    halves.paste((255, 255, 255), (150, 0, 300, 100))
    channel = preprocess(halves, SIDE)[0]
    assert channel[:, : SIDE // 2 - 4].max() < 0 < channel[:, SIDE // 2 + 4 :].min(), (
        "the whole picture lies on the square"
    )


def test_patches_are_those_of_the_module_row_by_row_from_the_upper_left(encoder: MiniEncoder, shelf: Tiny) -> None:
    image = Image.new("RGB", (224, 224))
    image.paste((255, 255, 255), (5 * 32, 2 * 32, 6 * 32, 3 * 32))  # third row, sixth column
    encoded = encoder.encode_images([image])
    with torch.inference_mode():
        tokens, pooled = shelf.picture(torch.from_numpy(preprocess(image, SIDE))[None])
    np.testing.assert_allclose(encoded.tokens, tokens.numpy(), atol=5e-3)  # float16 weights
    np.testing.assert_allclose(encoded.pooled, pooled.numpy(), atol=5e-3)
    differs = np.abs(encoded.tokens[0] - encoded.tokens[0, 0]).max(-1) > 1e-2
    assert np.flatnonzero(differs).tolist() == [2 * 7 + 5]
    assert encoded.mask.all()


def test_words_are_those_of_the_module(encoder: MiniEncoder, shelf: Tiny) -> None:
    texts = ["we hate mondays", "love"]
    pieces, encoded = encoder.vocabulary.look_up(texts), encoder.encode_texts(texts)
    with torch.inference_mode():
        tokens, pooled = shelf.tower(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask))
    assert encoded.tokens.shape == (2, 5, 768)
    np.testing.assert_allclose(encoded.tokens[0], tokens[0].numpy(), atol=2e-2)
    np.testing.assert_allclose(encoded.tokens[1, :3], tokens[1, :3].numpy(), atol=2e-2)
    np.testing.assert_allclose(encoded.pooled, pooled.numpy(), atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(encoded.pooled, axis=1), 1, rtol=1e-4)
    assert encoded.spans == pieces.spans


def test_pictures_come_out_alike_alone_and_together(encoder: MiniEncoder) -> None:
    images = noise(2 * IMAGE_BATCH_SIZE + 1)
    together = encoder.encode_images(images)
    assert together.tokens.shape == (len(images), 49, 1280)
    for row, image in enumerate(images):
        alone = encoder.encode_images([image])
        np.testing.assert_allclose(together.tokens[row], alone.tokens[0], atol=1e-4)
        np.testing.assert_allclose(together.pooled[row], alone.pooled[0], atol=1e-5)


def test_texts_come_out_alike_alone_and_together_in_the_order_given(encoder: MiniEncoder) -> None:
    texts = [
        " ".join(["love", "mondays", "people"][: 1 + row % 3] * (1 + row % 4)) for row in range(TEXT_BATCH_SIZE + 5)
    ]
    together = encoder.encode_texts(texts)
    for row, text in enumerate(texts):
        alone = encoder.encode_texts([text])
        length = alone.tokens.shape[1]
        assert together.mask[row].sum() == length
        assert together.spans[row] == alone.spans[0]
        np.testing.assert_allclose(together.tokens[row, :length], alone.tokens[0], atol=1e-4)
        assert not together.mask[row, length:].any()
        np.testing.assert_allclose(together.pooled[row], alone.pooled[0], atol=1e-5)


def test_a_word_is_read_in_its_context(encoder: MiniEncoder) -> None:
    first, second = encoder.encode_texts(["we love", "not love"]).tokens
    assert np.abs(first[2] - second[2]).max() > 1e-3


def test_nothing_gives_no_rows(encoder: MiniEncoder) -> None:
    assert encoder.encode_images([]).tokens.shape == (0, 49, 1280)
    assert encoder.encode_texts([]).tokens.shape == (0, 0, 768)


def test_a_missing_tower_is_named(
    shelf: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("half")
    for name in ("mini_vocabulary", "mini_picture"):
        (root / name).symlink_to(shelf.root / name)
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(root))
    with pytest.raises(BadWeights, match="'mini_words'"):
        MiniEncoder(threads=1)
