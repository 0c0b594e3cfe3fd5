"""Faces of a picture with their expressions: the detector, the crop and the expression network in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from models.analysis import Expression, Face, FaceEmotions
from models.emotions.expressions import ExpressionClassifier
from models.emotions.faces import FaceDetector, crop_face
from models.weights import Card, card

MAX_FACES = 12  # the largest ones; a crowd has no expressions that could be read


class Expressions(Protocol):
    """Crops of faces to their expressions."""

    def predict(self, faces: Sequence[Image.Image]) -> list[tuple[Expression, ...]]:
        """For each face all seven expressions, most likely first; their probabilities add up to 1."""
        ...


class FaceReader:
    """Thread-safe. `expressions` takes the place of the network in `weights/face_expressions`."""

    def __init__(self, expressions: Expressions | None = None, *, threads: int = 0) -> None:
        self._detector = FaceDetector.load(threads=threads)
        self._expressions = expressions or ExpressionClassifier(threads=threads)
        self.cards: tuple[Card, ...] = (card("face_detector"),)
        if isinstance(self._expressions, ExpressionClassifier):
            self.cards += (self._expressions.card,)

    def read(self, image: Image.Image | None) -> FaceEmotions:
        """`no_image` without a picture, `no_face` where none is found."""
        if image is None:
            return FaceEmotions("no_image")
        boxes = self._detector.detect(image)[:MAX_FACES]
        if not boxes:
            return FaceEmotions("no_face")
        expressions = self._expressions.predict([crop_face(image, box) for box, _ in boxes])
        return FaceEmotions("ok", tuple(Face(*boxed, faces) for boxed, faces in zip(boxes, expressions, strict=True)))
