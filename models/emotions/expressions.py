"""The expression of a face: a crop in, the seven FER-2013 expressions with their probabilities out.

`training/emotions/faces.py` feeds its pictures through the same `grey` and `standardise`, so that fitting and use cannot drift.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from models import weights
from models.analysis import Expression
from models.errors import BadWeights

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SIDE = 48  # pixels; FER-2013's own size
FLATTEST = 4.0  # grey levels; below this spread a crop is a blank, and dividing by less would only enlarge its noise
BATCH_SIZE = 64  # faces at once, each seen twice


def grey(image: Image.Image) -> np.ndarray:
    """The crop as uint8 (48, 48): luma, resized without keeping the ratio (FER's crops are square)."""
    plain = image.convert("L")
    if plain.size != (SIDE, SIDE):
        plain = plain.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(plain, dtype=np.uint8)


def standardise(pixels: np.ndarray) -> np.ndarray:
    """uint8 (..., 48, 48) to float32 of the same shape with mean 0 and spread 1 a picture: light and exposure go."""
    values = pixels.astype(np.float32)
    mean = values.mean(axis=(-2, -1), keepdims=True)
    spread = values.std(axis=(-2, -1), keepdims=True)
    return (values - mean) / np.maximum(spread, np.float32(FLATTEST))


def prepare(image: Image.Image) -> np.ndarray:
    """What the network is fed for one face: float32 (1, 48, 48)."""
    return standardise(grey(image))[None]


class ExpressionClassifier:
    """The net in `weights/face_expressions`; thread-safe.

    >>> classifier = ExpressionClassifier()
    >>> [best, *others] = classifier.predict([crop_face(picture, box)])[0]
    """

    def __init__(self, *, threads: int = 0) -> None:
        """`threads` 0 means one a core; raises `BadWeights` where the folder is missing, damaged or unfit."""
        self.card = weights.card("face_expressions")
        config = self.card.config
        if tuple(config.get("labels", ())) != LABELS or config.get("side") != SIDE:
            raise BadWeights(
                f"weights/{self.card.name}/config.json is for other labels or another size than this version reads."
            )
        self._temperature = float(config["temperature"])
        self._session = weights.session(self.card, threads=threads)

    def predict(self, faces: Sequence[Image.Image]) -> list[tuple[Expression, ...]]:
        """For each face all seven expressions, most likely first; their probabilities add up to 1."""
        return [expressions_from(probs, LABELS) for probs in self.probabilities(faces)]

    def probabilities(self, faces: Sequence[Image.Image]) -> np.ndarray:
        """(N, 7), columns in the order of `LABELS`: the mean over the face and its mirror image, at the temperature."""
        logits = np.zeros((len(faces), len(LABELS)), np.float32)
        for start in range(0, len(faces), BATCH_SIZE):
            pixels = np.stack([prepare(face) for face in faces[start : start + BATCH_SIZE]])  # (n, 1, 48, 48)
            both = np.concatenate([pixels, pixels[..., ::-1]])  # (2n, 1, 48, 48)
            outputs = self._session.run(["logits"], {"faces": both})[0]
            logits[start : start + BATCH_SIZE] = outputs.reshape(2, len(pixels), len(LABELS)).mean(axis=0)
        scaled = logits / self._temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
        return powers / powers.sum(axis=1, keepdims=True)


def expressions_from(probs: np.ndarray, labels: Sequence[str]) -> tuple[Expression, ...]:
    """A face's expressions from probabilities [labels], most likely first."""
    return tuple(Expression(labels[index], float(probs[index])) for index in np.argsort(-probs, kind="stable"))
