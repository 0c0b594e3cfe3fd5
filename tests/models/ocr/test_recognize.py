"""Decoding, and the crop that the recogniser is given."""

import numpy as np
import pytest
from PIL import Image

from models.ocr.recognize import Alphabet, crop, is_cjk, prepare

ALPHABET = Alphabet(["a", "b", "国", "！", "ab"])
BLANK, A, B, HAN, MARK, PAIR, SPACE = range(7)


def columns(*classes: int | tuple[int, float, int]) -> np.ndarray:
    """Probabilities [columns, classes]: a class alone is sure; (first, p, second) gives the second what is left."""
    result = np.zeros((len(classes), 7), np.float32)
    for row, entry in zip(result, classes, strict=True):
        first, share, second = entry if isinstance(entry, tuple) else (entry, 1.0, entry)
        row[second] = 1 - share
        row[first] = share
    return result


def test_repeats_are_one_letter_unless_a_blank_parts_them():
    assert ALPHABET.decode(columns(A, A, BLANK, A, B, SPACE, B)).text == "aab b"


def test_each_character_keeps_its_confidence():
    reading = ALPHABET.decode(columns((A, 0.75, B), BLANK, (B, 0.6, BLANK), (PAIR, 0.9, BLANK)))
    assert reading.text == "abab"
    assert len(reading.confidences) == len(reading.gaps) == len(reading.text)
    assert reading.confidences[0] == 0.75


def test_a_half_seen_space_is_remembered():
    reading = ALPHABET.decode(columns(A, (BLANK, 0.6, SPACE), B, BLANK, A))
    assert reading.text == "aba"
    assert reading.gaps == pytest.approx((0.0, 0.4, 0.0))


def test_western_decoding_leaves_han_out():
    probabilities = columns((HAN, 0.7, A), (HAN, 0.9, BLANK))
    assert ALPHABET.decode(probabilities).text == "国"
    reading = ALPHABET.decode(probabilities, western=True)
    assert reading.text == "a" and reading.confidence == pytest.approx(0.3)


def test_full_width_marks_are_read_as_plain_ones():
    assert ALPHABET.decode(columns(A, MARK)).text == "a!"


def test_nothing_is_read_from_nothing():
    reading = ALPHABET.decode(columns(BLANK, BLANK))
    assert (reading.text, reading.confidence, reading.gaps) == ("", 0.0, ())


def test_what_is_cjk():
    assert all(map(is_cjk, "国あア한、"))
    assert not any(map(is_cjk, "aé7€Я😂❤!"))


def test_crop_of_a_turned_box_is_upright():
    picture = Image.new("RGB", (100, 100), "black")
    picture.paste((255, 255, 255), (20, 40, 80, 60))
    turned = picture.rotate(30, Image.Resampling.BICUBIC)  # counter-clockwise: the left end goes down
    corners = np.array([(20, 40), (80, 40), (80, 60), (20, 60)], float) - 50
    angle = np.radians(-30)
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + 50
    piece = crop(turned, corners)
    assert piece.size == (60, 20)
    assert np.asarray(piece)[2:-2, 2:-2].min() > 200


def test_upright_words_are_laid_down():
    assert crop(Image.new("RGB", (50, 90)), np.array([(10, 5), (30, 5), (30, 85), (10, 85)], float)).size == (80, 20)


@pytest.mark.parametrize(("size", "width"), [((100, 20), 240), ((1, 40), 48), ((5_000, 10), 2_400)])
def test_the_input_is_48_high(size, width):
    assert prepare(Image.new("RGB", size)).shape == (1, 3, 48, width)
