"""Faces of a picture with their expressions: the detector, the crop and the expression network in a row."""

from __future__ import annotations

from PIL import Image

from models.analysis import Face, FaceEmotions
from models.emotions.expressions import ExpressionClassifier
from models.emotions.faces import FaceDetector, crop_face
from models.weights import Card, card

MOST_FACES = 12  # the largest ones; a crowd has no expressions that could be read


class FaceReader:
    """Safe to share between threads."""

    def __init__(self, *, threads: int = 0) -> None:
        self._detector = FaceDetector.load(threads=threads)
        self._expressions = ExpressionClassifier(threads=threads)
        self.cards: tuple[Card, ...] = (card("face_detector"), self._expressions.card)

    def read(self, image: Image.Image | None) -> FaceEmotions:
        """`no_image` without a picture, `no_face` where none is found."""
        if image is None:
            return FaceEmotions("no_image")
        found = self._detector.detect(image)[:MOST_FACES]
        if not found:
            return FaceEmotions("no_face")
        expressions = self._expressions.predict([crop_face(image, box) for box, _ in found])
        return FaceEmotions(
            "ok",
            tuple(Face(box, sure, seen) for (box, sure), seen in zip(found, expressions, strict=True)),
        )
