"""Tables of embeddings in blocks of 4 bits."""

from __future__ import annotations

import numpy as np
import pytest

from models.tokenizers.blocks import BLOCK, decode_blocks, encode_blocks


@pytest.mark.parametrize("shape", [(3, 64), (2, 5, 384), (1, 32)])
def test_what_was_decoded_is_encoded_without_loss(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    blocks = encode_blocks(rng.normal(size=shape).astype(np.float32))
    assert (blocks.dtype, blocks.shape) == (np.uint8, (*shape[:-1], shape[-1] // BLOCK, 18))
    np.testing.assert_array_equal(decode_blocks(encode_blocks(decode_blocks(blocks))), decode_blocks(blocks))


def test_low_nibbles_are_the_first_half_and_codes_are_8_too_large() -> None:
    scale = np.array([0.5], np.float16).view(np.uint8)
    block = np.concatenate([scale, np.arange(16, dtype=np.uint8) | 15 << 4])[None]
    np.testing.assert_allclose(decode_blocks(block), [*(0.5 * (np.arange(16) - 8)), *[3.5] * 16])


def test_the_error_is_half_a_step_at_most_but_at_the_far_end() -> None:
    values = np.random.default_rng(1).normal(size=(40, BLOCK)).astype(np.float32)
    step = np.abs(values).max(1, keepdims=True) / 8
    assert (np.abs(decode_blocks(encode_blocks(values)) - values) <= 1.01 * step).all()
    np.testing.assert_array_equal(decode_blocks(encode_blocks(np.zeros((1, 32)))), np.zeros((1, 32)))
