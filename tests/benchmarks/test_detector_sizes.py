"""`benchmarks/faces.py` compares sizes by the faces that the two largest agree on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks import faces
from models.analysis import Box

NEAR, FAR, SMALL = (10.0, 10.0, 70.0, 70.0), (100.0, 100.0, 130.0, 130.0), (5.0, 5.0, 20.0, 20.0)
FOUND: dict[int, list[Box]] = {320: [NEAR], 480: [NEAR, FAR, SMALL], 640: [(12.0, 10.0, 72.0, 70.0), FAR]}


class FakeDetector:
    """Finds the same faces on every picture."""

    def __init__(self, size: int) -> None:
        self.size = size

    def detect(self, image: Image.Image) -> list[tuple[Box, float]]:
        return [(box, 0.9) for box in FOUND[self.size]]


def test_recall_is_counted_against_what_both_references_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces.FaceDetector, "load", lambda size, threads: FakeDetector(size))
    images = [Image.new("RGB", (160, 160))]
    figures = faces.measure({faces.TIMED: images, "oasis": images}, sizes=(320, 480, 640))
    assert [figures[f"faces_{group}"] for group in faces.GROUPS] == [0, 2, 2]  # SMALL was found by one only
    assert [figures[f"found_24_to_40_at_{size}"] for size in (320, 480, 640)] == [0, 2, 2]
    assert figures["found_from_40_at_320"] == 2
    assert figures["ms_at_320"] >= 0
    assert figures["pictures"] == 2


def test_iou() -> None:
    boxes = np.array([NEAR, FAR, (0, 0, 2, 2), (1, 0, 3, 2)])
    assert faces.iou(boxes[0], boxes[:2]).tolist() == [1.0, 0.0]
    assert faces.iou(boxes[2], boxes[3:]) == pytest.approx(1 / 3)
