"""Boxes out of a text map, against rectangles that were put into it."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.ocr.detect import PIXELS, blobs, convex_hull, find_boxes, mean_inside, prepare, smallest_rectangle


def text_map(*polygons: list[tuple[float, float]], size: tuple[int, int] = (320, 160)) -> np.ndarray:
    image = Image.new("L", size)
    for polygon in polygons:
        ImageDraw.Draw(image).polygon(polygon, fill=255)
    return np.asarray(image, np.float32) / 255


def turned(width: float, height: float, degrees: float, centre: tuple[float, float]) -> list[tuple[float, float]]:
    angle = math.radians(degrees)
    corners = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    return [
        (centre[0] + x * math.cos(angle) - y * math.sin(angle), centre[1] + x * math.sin(angle) + y * math.cos(angle))
        for x, y in corners
    ]


def test_blobs_touch_at_corners_too():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]], bool)
    runs = sorted(sorted(set(map(tuple, blob.tolist()))) for blob in blobs(mask))
    assert runs == [[(0, 0), (1, 1)], [(0, 3)], [(2, 3), (3, 2)], [(3, 0)]]


def test_a_ring_and_what_it_encloses_are_two_blobs():
    mask = np.ones((9, 9), bool)
    mask[1:8, 1:8] = False
    mask[4, 4] = True
    assert len(blobs(mask)) == 2


def test_two_arms_that_meet_below_are_one_blob():
    mask = np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]], bool)
    assert len(blobs(mask)) == 1


def test_hull_leaves_out_what_lies_inside_or_on_an_edge():
    square = np.array([(0, 0), (2, 0), (4, 0), (4, 4), (0, 4), (2, 2), (0, 2)])
    assert sorted(map(tuple, convex_hull(square).tolist())) == [(0, 0), (0, 4), (4, 0), (4, 4)]


def test_smallest_rectangle_of_a_turned_one_is_itself():
    corners = np.array(turned(100, 20, 30, (60, 60)))
    rectangle = smallest_rectangle(corners)
    distances = np.linalg.norm(corners[:, None] - rectangle[None], axis=2).min(1)
    assert distances.max() < 1e-6


def test_a_line_of_pixels_has_no_rectangle():
    assert smallest_rectangle(np.array([(0, 0), (5, 0), (9, 0)])) is None


def test_mean_counts_only_what_is_inside():
    diagonal = text_map(turned(120, 20, 45, (160, 80)))
    assert mean_inside(diagonal, np.array(turned(110, 14, 45, (160, 80)))) > 0.98


@pytest.mark.parametrize("degrees", [0, 12, -20])
def test_boxes_grow_round_what_the_map_shows(degrees):
    boxes = find_boxes(text_map(turned(120, 20, degrees, (160, 80))), (640, 320))
    assert len(boxes) == 1
    # twice the map's size; each side moved by 120 * 20 * 1.6 / 280 = 13.7 pixels; slanting edges are stairs of pixels
    assert boxes[0].height == pytest.approx(2 * (20 + 2 * 13.7), abs=9)
    width = np.linalg.norm(boxes[0].corners[1] - boxes[0].corners[0])
    assert width == pytest.approx(2 * (120 + 2 * 13.7), abs=9)
    slope = boxes[0].corners[1] - boxes[0].corners[0]
    assert math.degrees(math.atan2(slope[1], slope[0])) == pytest.approx(degrees, abs=1.5)


def test_faint_and_tiny_blobs_are_no_text():
    faint = text_map(turned(80, 20, 0, (160, 80))) * 0.45
    faint[5:7, 5:7] = 1
    assert find_boxes(faint, (320, 160)) == []


def test_boxes_stay_inside_the_picture():
    box = find_boxes(text_map([(0, 0), (60, 0), (60, 20), (0, 20)]), (320, 160))[0]
    left, top, right, bottom = box.bounds
    assert 0 <= left < right < 320 and 0 <= top < bottom < 160


@pytest.mark.parametrize("size", [(1, 1), (448, 300), (5_000, 4_000), (5_000, 20), (20, 5_000)])
def test_the_network_sees_about_as_many_pixels_of_any_picture(size):
    _, channels, height, width = prepare(Image.new("RGB", size)).shape
    assert channels == 3 and width % 32 == height % 32 == 0
    assert width * height <= 1.2 * PIXELS and max(width, height) <= 1_600
