"""From a text box to characters: the crop that the recogniser wants, and the decoding of what it answers.

The recogniser gives, for each of T narrow columns of the crop, a probability for each of 18,708 characters, for the
space, and for "nothing here" (CTC, Graves et al. 2006). Decoding takes the likeliest in each column and drops repeats.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

HEIGHT = 48  # pixels, fixed by the network
NARROWEST, WIDEST = 48, 2400  # pixels; a crop wider than that is one of a damaged box


@dataclass(frozen=True)
class Reading:
    """Characters with what the recogniser thinks of each (0-1).

    `gaps[i]` is the highest probability of a space in the columns between characters i-1 and i (0 for the first).
    """

    text: str
    confidences: tuple[float, ...]
    gaps: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """The mean over the characters, 0 without any."""
        return float(np.mean(self.confidences)) if self.confidences else 0.0


def crop(image: Image.Image, corners: np.ndarray) -> Image.Image:
    """What lies inside a rotated rectangle (corners [4, 2]), upright; much taller than wide is turned by 90 degrees."""
    top_left, top_right, _, bottom_left = corners
    width = max(1, round(float(np.linalg.norm(top_right - top_left))))
    height = max(1, round(float(np.linalg.norm(bottom_left - top_left))))
    across, down = (top_right - top_left) / width, (bottom_left - top_left) / height
    matrix = (across[0], down[0], top_left[0], across[1], down[1], top_left[1])
    numbers = tuple(map(float, matrix))
    piece = image.transform((width, height), Image.Transform.AFFINE, numbers, Image.Resampling.BICUBIC)
    return piece.transpose(Image.Transpose.ROTATE_90) if height >= 1.5 * width else piece


def prepare(piece: Image.Image) -> np.ndarray:
    """The recogniser's input [1, 3, 48, width] in -1..1, BGR."""
    width = min(max(round(HEIGHT * piece.width / piece.height), 1), WIDEST)
    array = np.asarray(piece.resize((width, HEIGHT), Image.Resampling.BILINEAR), np.float32)
    tensor = ((array[:, :, ::-1] / 255 - 0.5) / 0.5).transpose(2, 0, 1)
    padded = np.zeros((1, 3, HEIGHT, max(width, NARROWEST)), np.float32)
    padded[0, :, :, :width] = tensor
    return padded


class Alphabet:
    """The characters that the recogniser's classes stand for: 0 is "nothing", the last one the space."""

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = ("", *map(half_width, characters), " ")
        self.space = len(self.characters) - 1
        eastern = [any(map(is_cjk, character)) for character in self.characters]
        self.western = np.flatnonzero(~np.array(eastern))  # classes that are not CJK, in order; 0 stays first

    def decode(self, probabilities: np.ndarray, *, western: bool = False) -> Reading:
        """Greedy decoding of [columns, classes]; `western` leaves the CJK classes out of the choice."""
        considered = probabilities[:, self.western] if western else probabilities
        best = considered.argmax(1)
        sure = considered.max(1)
        if western:
            best = self.western[best]
        emitted = best != 0
        emitted[1:] &= best[1:] != best[:-1]
        columns = np.flatnonzero(emitted)
        spaces = probabilities[:, self.space]
        characters = [self.characters[index] for index in best[columns]]
        gaps = [0.0, *(float(spaces[a + 1 : b].max(initial=0.0)) for a, b in pairwise(columns))]
        # a class may stand for several code points: repeat what belongs to it, so that the tuples fit the text
        lengths = [len(character) for character in characters]
        return Reading(
            "".join(characters),
            tuple(np.repeat(sure[columns], lengths).tolist()),
            tuple(gap if part == 0 else 0.0 for gap, n in zip(gaps, lengths, strict=False) for part in range(n)),
        )


def half_width(character: str) -> str:
    """Full-width letters, digits and marks, which Chinese text sets, as the plain ones that they look like."""
    return unicodedata.normalize("NFKC", character) if any(0xFF01 <= ord(c) <= 0xFF5E for c in character) else character


def is_cjk(character: str) -> bool:
    """Han, kana, Hangul, Bopomofo and their punctuation; emoji are as wide, but none of these."""
    point = ord(character)
    wide = unicodedata.east_asian_width(character) == "W"
    return wide and (0x2E80 <= point < 0xD7B0 or 0xF900 <= point < 0xFB00 or point >= 0x20000)
