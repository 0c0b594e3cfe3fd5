"""Changes of a picture that people would hardly mind, each with a strength from 0 (none) to 1.

Every change at a strength is one function of the picture and a seed, so that a curve can be drawn again.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

MAX_NOISE = 100.0  # standard deviation in steps of 255
MAX_BLUR = 0.03  # sigma as a share of the longer side
MAX_CROP = 0.6  # of each side
MAX_PIXELS = 0.02  # share of the picture's pixels
BEST_QUALITY, WORST_QUALITY = 95, 3


def pixels(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Single pixels set to random colours; those of a weaker change are among those of a stronger one."""
    rng = np.random.default_rng(seed)
    most = max(1, round(MAX_PIXELS * image.width * image.height))
    places, colours = rng.integers(image.width * image.height, size=most), rng.integers(256, size=(most, 3))
    count = round(strength * most)
    data = np.array(image.convert("RGB"))
    data.reshape(-1, 3)[places[:count]] = colours[:count]
    return Image.fromarray(data)


def jpeg(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Saved as JPEG and read again: quality 95 down to 3."""
    if not strength:
        return image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=round(BEST_QUALITY + strength * (WORST_QUALITY - BEST_QUALITY)))
    with Image.open(buffer) as opened:
        return opened.convert("RGB")


def blur(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Gaussian blur, up to a sigma of 3% of the longer side."""
    return image.filter(ImageFilter.GaussianBlur(strength * MAX_BLUR * max(image.size))) if strength else image


def noise(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """Gaussian noise on every channel, up to a standard deviation of 100 of 255 steps."""
    data = np.asarray(image.convert("RGB"), np.float32)
    grain = np.random.default_rng(seed).standard_normal(data.shape, np.float32)
    return Image.fromarray(np.clip(data + strength * MAX_NOISE * grain, 0, 255).round().astype(np.uint8))


def crop(image: Image.Image, strength: float, seed: int) -> Image.Image:
    """The middle of the picture, up to 60% of each side cut away, at the old size."""
    share = strength * MAX_CROP / 2
    wide, high = image.size
    box = (share * wide, share * high, wide - share * wide, high - share * high)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)
