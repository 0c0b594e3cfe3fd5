"""Faces of a picture and their expressions: found with CenterFace (Xu et al. 2019, arXiv:1911.03599), cut out, and read.

CenterFace answers, for every fourth pixel in both directions, how likely a face is centred there, how tall and wide it
would be and how far its centre lies from the grid point. Decoding follows the authors' code
(github.com/Star-Clouds/CenterFace), without OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models import weights
from models.analysis import Box, Face, FaceEmotions
from models.emotions.expressions import ExpressionClassifier

if TYPE_CHECKING:
    from models.emotions.pretrained import VitExpressions
    from models.runtime.session import Session

STRIDE = 4  # pixels between two points of the output grid
MULTIPLE = 32  # both sides of the network's input must be divisible by this
MAX_FACES = 12  # the largest ones; a crowd has no expressions that could be read


@dataclass(frozen=True)
class DetectorSettings:
    """How the detector is run: `size` is the longest side it sees, `smallest` a side in pixels of the picture given."""

    size: int = 320
    threshold: float = 0.5
    nms: float = 0.3
    smallest: float = 16.0

    def __post_init__(self) -> None:
        if self.size < MULTIPLE or self.size % MULTIPLE:
            raise ValueError(f"size={self.size} is not a positive multiple of {MULTIPLE}")
        if not (0 < self.threshold < 1 and 0 < self.nms < 1):
            raise ValueError(f"threshold={self.threshold} and nms={self.nms} must lie between 0 and 1")
        if self.smallest < 0:
            raise ValueError(f"smallest={self.smallest} is negative")


class FaceDetector:
    """Faces of a picture with their boxes; thread-safe.

    >>> detector = FaceDetector.load()
    >>> crops = [crop_face(picture, box) for box, confidence in detector.detect(picture)]
    """

    def __init__(self, session: Session, settings: DetectorSettings) -> None:
        self._session = session
        self.settings = settings

    @classmethod
    def load(cls, *, size: int | None = None, threads: int = 0) -> FaceDetector:
        """The detector in `weights/face_detector`, run as its config.json says; `size` overrides the input size.

        Raises `BadWeights` where the folder is missing, damaged or does not fit; `threads` 0 means one a core.
        """
        card = weights.card("face_detector")
        settings = {key: card.setting(key) for key in ("size", "threshold", "nms", "smallest")}
        if size is not None:
            settings["size"] = size
        return cls(weights.session(card, "model.onnx", threads=threads), DetectorSettings(**settings))

    def detect(self, image: Image.Image) -> list[tuple[Box, float]]:
        """Boxes in pixels of `image` with their confidence (0-1), the largest face first."""
        pixels, scale = _letterbox(image, self.settings.size)
        heatmap, sizes, offsets = self._session.run(["537", "538", "539"], {"input.1": pixels})
        boxes, confidences = decode(heatmap[0, 0], sizes[0], offsets[0], self.settings.threshold)
        boxes = np.clip(boxes / scale, 0, (image.width, image.height) * 2)
        survivors = suppress(boxes, confidences, self.settings.nms)
        boxes, confidences = boxes[survivors], confidences[survivors]

        sides = boxes[:, 2:] - boxes[:, :2]  # (n, 2)
        faces = np.flatnonzero(sides.min(1) >= self.settings.smallest)
        order = faces[np.argsort(-sides[faces].prod(1), kind="stable")]
        return [(_box(boxes[face]), float(confidences[face])) for face in order]


def decode(
    heatmap: np.ndarray, sizes: np.ndarray, offsets: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) in pixels of the network's input and confidences (n,), from the output maps.

    heatmap (h, w); sizes (2, h, w): log of height and width in strides; offsets (2, h, w): down and right, in strides.
    """
    rows, columns = np.nonzero(heatmap >= threshold)
    height, width = np.exp(sizes[:, rows, columns]) * STRIDE  # (n,), (n,)
    down, right = offsets[:, rows, columns]
    top = (rows + down + 0.5) * STRIDE - height / 2
    left = (columns + right + 0.5) * STRIDE - width / 2
    return np.stack([left, top, left + width, top + height], axis=1), heatmap[rows, columns]


def suppress(boxes: np.ndarray, confidences: np.ndarray, limit: float) -> list[int]:
    """Indices to keep, most confident first: of boxes that overlap by `limit` or more (IoU) the best one stays."""
    survivors: list[int] = []
    candidates = np.argsort(-confidences, kind="stable")
    while candidates.size:
        best, candidates = int(candidates[0]), candidates[1:]
        survivors.append(best)
        candidates = candidates[iou(boxes[best], boxes[candidates]) < limit]
    return survivors


def crop_face(image: Image.Image, box: Box, margin: float = 0.15) -> Image.Image:
    """A square grey picture of the face, cut as FER-2013 cuts its own: tight, with the face filling it.

    The side is the longer one of the box plus `margin` of it, centred on the box; what lies outside the picture repeats
    its edge, so that the face is neither squashed nor moved to a corner.
    """
    left, top, right, bottom = box
    side = max(1, round(max(right - left, bottom - top) * (1 + margin)))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    inside = (max(x, 0), max(y, 0), min(x + side, image.width), min(y + side, image.height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise ValueError(f"box={box} lies outside a picture of {image.width}x{image.height}")
    grey = np.asarray(image.crop(inside).convert("L"))
    outside = ((inside[1] - y, y + side - inside[3]), (inside[0] - x, x + side - inside[2]))
    return Image.fromarray(np.pad(grey, outside, mode="edge"))


def _letterbox(image: Image.Image, size: int) -> tuple[np.ndarray, float]:
    """The picture scaled to a longest side of `size` and padded to whole multiples, and the scale.

    Returns (1, 3, H, W) float32, RGB in 0-255 as CenterFace was trained; padding lies right and below, so that boxes
    need no shift. A narrow picture costs less than a square one.
    """
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    small = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
    pixels = np.zeros((1, 3, -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE), np.float32)
    pixels[0, :, :height, :width] = small.transpose(2, 0, 1)
    return pixels, scale


def _box(edges: np.ndarray) -> Box:
    left, top, right, bottom = map(float, edges)
    return left, top, right, bottom


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with each of (n, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    return shared / np.maximum(union, 1e-9)


class FaceReader:
    """Thread-safe. `expressions` takes the place of the network in `weights/face_expressions`."""

    def __init__(self, expressions: ExpressionClassifier | VitExpressions | None = None, *, threads: int = 0) -> None:
        self._detector = FaceDetector.load(threads=threads)
        self._expressions = expressions or ExpressionClassifier(threads=threads)
        self.cards: tuple[weights.Card, ...] = (weights.card("face_detector"),)
        if isinstance(self._expressions, ExpressionClassifier):
            self.cards += (self._expressions.card,)

    def read(self, image: Image.Image) -> FaceEmotions:
        """The largest faces with their expressions; `no_face` where none is found."""
        boxes = self._detector.detect(image)[:MAX_FACES]
        if not boxes:
            return FaceEmotions("no_face")
        expressions = self._expressions.predict([crop_face(image, box) for box, _ in boxes])
        return FaceEmotions("ok", tuple(Face(*box, read) for box, read in zip(boxes, expressions, strict=True)))
