"""Tables of embeddings in 4 bits: blocks of 32 weights that share a scale (Q4_0 of ggml)."""

import numpy as np

BLOCK = 32  # weights


def decode_blocks(blocks: np.ndarray) -> np.ndarray:
    """Blocks uint8 [..., n, 18] to float32 [..., 32 n].

    A block is a float16 scale and 16 bytes, whose low nibbles are the first 16 weights and whose high nibbles are the others,
    each minus 8 and times the scale.
    """
    scale = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)  # (..., n, 1)
    codes = blocks[..., 2:]
    values = np.concatenate([codes & 15, codes >> 4], axis=-1).astype(np.float32) - 8
    return (values * scale).reshape(*blocks.shape[:-2], -1)


def encode_blocks(values: np.ndarray) -> np.ndarray:
    """The nearest blocks uint8 [..., n, 18] to float32 values [..., 32 n]; exact for what `decode_blocks` gave."""
    groups = values.reshape(*values.shape[:-1], -1, BLOCK).astype(np.float32)
    largest = np.take_along_axis(groups, np.abs(groups).argmax(-1, keepdims=True), -1)
    scale = (largest / -8).astype(np.float16)  # the largest weight becomes -8
    codes = np.rint(groups / np.where(scale == 0, 1, scale).astype(np.float32)).clip(-8, 7).astype(np.int8) + 8
    packed = codes[..., : BLOCK // 2] | codes[..., BLOCK // 2 :] << 4
    return np.concatenate([np.ascontiguousarray(scale).view(np.uint8), packed.astype(np.uint8)], axis=-1)
