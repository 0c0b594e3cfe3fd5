"""Valence (pleasant or not) and arousal (stirring or not) of a photograph, from 1 to 7, and the emotion they stand for.

EfficientNet-Lite0 (`weights/picture_emotions`) reads the picture in two sizes, each also mirrored; the outputs of five
stages and the ImageNet classes are compared with the photographs of OASIS (Kurdi et al. 2017) by one kernel per group:
ridge regression over the mean of Gaussian kernels (Saunders et al. 1998; Lanckriet et al. 2004).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models import weights
from models.io.images import preprocess
from models.weights import Card

SIDES = (224, 320)  # pixels; the second shows smaller things
MEANS = ("stage_4", "stage_5", "stage_6", "stage_7", "head")  # outputs of the graph, each [batch, channels]
TEMPERATURES = {"classes": 1.0, "classes_soft": 2.0}  # of the softmax of the ImageNet classes
GROUPS = tuple(f"{name}_{side}" for side in SIDES for name in (*MEANS, *TEMPERATURES))
MIDDLE = 4.0  # of OASIS's scale from 1 to 7
NEUTRAL = 0.5  # within this distance of the middle no emotion is named
# Russell 1980: emotions on a circle, counted from "pleasant" toward "stirring", in steps of 45 degrees.
CIRCLE = ("happy", "excited", "alarmed", "afraid", "sad", "bored", "calm", "content")


@dataclass(frozen=True)
class Affect:
    """Valence 1 (unpleasant) to 7 (pleasant), arousal 1 (still) to 7 (stirring), and the emotion named from both."""

    valence: float
    arousal: float
    emotion: str


def emotion_at(valence: float, arousal: float, arousal_middle: float = MIDDLE) -> str:
    """The emotion on Russell's circle at a valence and arousal; "neutral" near the middle."""
    x, y = valence - MIDDLE, arousal - arousal_middle
    if math.hypot(x, y) < NEUTRAL:
        return "neutral"
    return CIRCLE[round(math.degrees(math.atan2(y, x)) / 45) % 8]


def views(image: Image.Image, side: int) -> np.ndarray:
    """The picture squashed to a square and its mirror image: float32 [2, 3, side, side]."""
    plain = preprocess(image.convert("RGB"), side)
    return np.ascontiguousarray(np.stack([plain, plain[:, :, ::-1]]))


class FeatureExtractor:
    """The network's features of a picture, group by group. Thread-safe."""

    def __init__(self, card: Card, *, threads: int = 0) -> None:
        self._session = weights.session(card, threads=threads)

    def extract(self, image: Image.Image) -> dict[str, np.ndarray]:
        """A float32 vector for each of `GROUPS`, the mean of picture and mirror image."""
        features: dict[str, np.ndarray] = {}
        for side in SIDES:
            outputs = self._session.run([*MEANS, "classes"], {"pixels": views(image, side)})
            for name, values in zip(MEANS, outputs, strict=False):
                features[f"{name}_{side}"] = values.mean(0)
            for name, temperature in TEMPERATURES.items():
                scores = outputs[-1] / temperature
                powers = np.exp(scores - scores.max(1, keepdims=True))
                probs = powers / powers.sum(1, keepdims=True)
                features[f"{name}_{side}"] = np.sqrt(probs.mean(0))  # Hellinger's distance
        return features


class AffectReader:
    """Thread-safe."""

    def __init__(self, *, threads: int = 0) -> None:
        """Raises `BadWeights` where the folder is missing or damaged."""
        self.card = weights.card("picture_emotions")
        self._extractor = FeatureExtractor(self.card, threads=threads)
        self._groups = {
            group: [self._array(f"{group}.{part}") for part in ("mean", "axes", "known")] for group in GROUPS
        }
        self._weights, self._settings = self._array("weights"), self.card.setting("kernel")
        self._middle = float(self.card.setting("arousal_middle"))

    def _array(self, name: str) -> np.ndarray:
        return np.asarray(weights.tensor(self.card, name), np.float32)

    def read(self, images: Sequence[Image.Image]) -> list[Affect]:
        """One answer per picture."""
        affects = []
        for image in images:
            features = self._extractor.extract(image)
            rows = [((features[group] - mean) @ axes)[None] for group, (mean, axes, _) in self._groups.items()]
            known = [vectors for _, _, vectors in self._groups.values()]
            ratings = []
            for name, row_weights in zip(("valence", "arousal"), self._weights, strict=True):
                setting = self._settings[name]
                similarities = kernel(rows, known, setting["scales"], setting["gamma"])[0]
                ratings.append(float(np.clip(setting["offset"] + similarities @ row_weights, 1, 7)))
            valence, arousal = ratings
            affects.append(Affect(valence, arousal, emotion_at(valence, arousal, self._middle)))
        return affects


def kernel(
    left: Sequence[np.ndarray], right: Sequence[np.ndarray], scales: Sequence[float], gamma: float
) -> np.ndarray:
    """[n, m]: the mean over groups of exp(-gamma * squared distance / scale); a group is [n, d] and [m, d]."""
    total = np.zeros((len(left[0]), len(right[0])))
    for a, b, scale in zip(left, right, scales, strict=True):
        distance = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
        total += np.exp(-gamma * np.maximum(distance, 0) / scale)
    return total / len(scales)
