"""The 28 GoEmotions of a caption (Demszky et al. 2020), by MiniLM-L6 on onnxruntime."""

from collections.abc import Sequence

import numpy as np

from models import weights
from models.analysis import Emotion, TextEmotions
from models.io.captions import normalize
from models.tokenizers.wordpieces import Vocabulary, WordPieces

LABELS = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
BATCH_SIZE = 16


class TextEmotionClassifier:
    """Thread-safe."""

    def __init__(self, vocabulary: Vocabulary | None = None, *, threads: int = 0) -> None:
        """`vocabulary` is one that is loaded already: it is used if the network was trained on it."""
        self.card = weights.card("text_emotions")
        self.labels: tuple[str, ...] = tuple(self.card.setting("labels"))
        self.thresholds = np.array([self.card.setting("thresholds")[label] for label in self.labels])
        self.vocabulary = Vocabulary.of(self.card, vocabulary)
        self._session = weights.session(self.card, threads=threads)

    def classify(self, texts: Sequence[str]) -> list[TextEmotions]:
        """One answer a text; `no_text` for a blank one."""
        blank = [not normalize(text).text for text in texts]
        probabilities = self.probabilities(self.vocabulary.look_up(texts))
        return [
            TextEmotions("no_text") if empty else emotions_from(probs, self.labels, self.thresholds)
            for empty, probs in zip(blank, probabilities, strict=True)
        ]

    def probabilities(self, pieces: WordPieces) -> np.ndarray:
        """[batch, 28] for word pieces that were looked up already."""
        logits = np.zeros((len(pieces.mask), len(self.labels)), np.float32)
        for rows, inputs in pieces.batches(BATCH_SIZE):
            (logits[rows],) = self._session.run(["logits"], inputs)
        return 1 / (1 + np.exp(-logits))


def emotions_from(probs: np.ndarray, labels: Sequence[str], thresholds: Sequence[float] | np.ndarray) -> TextEmotions:
    """A caption's emotions from probabilities [labels]: those present first, then by falling probability."""
    scores = [
        Emotion(label, float(p), float(t), bool(p >= t)) for label, p, t in zip(labels, probs, thresholds, strict=True)
    ]
    return TextEmotions("ok", tuple(sorted(scores, key=lambda score: (not score.present, -score.probability))))
