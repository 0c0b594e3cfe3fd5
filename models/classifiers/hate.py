"""Is it hateful? Encoder, fusion, calibration and bands in one classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models import weights
from models.analysis import Bands, Harm, Label, Meme, Verdict
from models.encoders.base import Encoder, Tokens
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, BadWeights
from models.fusion.base import Fused, Fusion, FusionSession
from models.io.captions import normalize
from models.weights import Card

MEANING: dict[Label, str] = {
    "hateful": "The model reads an attack on people for what they are: religion, origin, skin colour, gender, "
    "orientation, disability and the like.",
    "not_hateful": "The model reads no attack on people for what they are (religion, origin, skin colour, gender, "
    "orientation, disability and the like). Rude, sad or tasteless is not the same as hateful.",
    "needs_review": "The model cannot tell whether this attacks people for what they are (religion, origin, gender, "
    "orientation, disability and the like). A person should look at it.",
}
HARM_MEANING = (
    "How likely HarMeme's annotators would have called it harmful. They counted mockery of single people and dangerous "
    "claims too: a joke about a politician may be harmful there and is not hate."
)
TOGETHER = 8  # memes; larger batches leave the processor's cache and take a third longer


@dataclass(frozen=True)
class Scored:
    """Calibrated logits float32 [batch] of the heads that there are, and what the fusion gave."""

    hate: np.ndarray
    harm: np.ndarray | None
    fused: Fused


class HateClassifier:
    """Safe to share between threads."""

    def __init__(self, encoder: Encoder, fusion: Fusion, card: Card) -> None:
        self.encoder, self.fusion, self.card = encoder, fusion, card
        self.bands = Bands(**card.setting("bands"))
        self.thresholds: dict[str, float] = dict(card.setting("thresholds"))
        self._calibration = card.setting("calibration")
        self._columns = {label: column for column, label in enumerate(card.setting("labels"))}
        self.cautions: tuple[str, ...] = tuple(card.config.get("cautions", ()))
        """What whoever reads an explanation should know about this very classifier."""

    @classmethod
    def mini(cls, encoder: MiniEncoder, *, threads: int = 0) -> HateClassifier:
        """The classifier that ships in `weights/hate_cross_attention`; `BadWeights` if it was trained on other towers."""
        card = weights.card("hate_cross_attention")
        towers = {tower.name: tower.identity for tower in (*encoder.cards, encoder.vocabulary.card)}
        if card.setting("encoder") != towers:
            raise BadWeights(
                "weights/hate_cross_attention was trained on other towers than those in weights/: "
                "run `git checkout -- weights`, or train it again with `python -m training fit hate_cross_attention`."
            )
        return cls(encoder, FusionSession(card, threads=threads), card)

    def score_tokens(self, image: Tokens | None, text: Tokens | None) -> Scored:
        """Calibrated logits for tokens of either side or both; both None gives the base, one row."""
        fused = self.fusion.fuse(image, text)
        return self._scored(fused)

    def check(self, meme: Meme) -> None:
        """Raises `BadInput` where the classifier cannot judge such a meme at all."""
        if self.card.config.get("needs_picture") and meme.image is None:
            raise BadInput(f"{self.card.name} judges pictures only: add a picture, or choose another profile.")

    def score(self, images: Sequence[Image.Image | None], texts: Sequence[str]) -> Scored:
        """One row a meme; a missing picture is None, missing words are blank. `fused` has no attention here.

        Memes with captions of like length go through the networks together, so that little is spent on padding.
        """
        logits = np.zeros((len(texts), len(self._columns)), np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(order), TOGETHER):
            some = order[start : start + TOGETHER]
            seen, read = self._encode([images[row] for row in some], [texts[row] for row in some])
            logits[some] = self.fusion.fuse(seen, read).logits
        return self._scored(Fused(logits))

    def verdict(self, logit: float) -> Verdict:
        """The verdict for a calibrated logit."""
        probability = sigmoid(logit)
        label: Label = "not_hateful"
        if probability >= self.bands.hateful_from:
            label = "hateful"
        elif probability >= self.bands.review_from:
            label = "needs_review"
        return Verdict(label, probability, float(logit), self.bands, MEANING[label])

    def harm(self, logit: float) -> Harm:
        """What HarMeme's annotators would say, for a calibrated logit."""
        return Harm(sigmoid(logit), HARM_MEANING)

    def _scored(self, fused: Fused) -> Scored:
        harm = self._calibrated(fused, "harm") if "harm" in self._columns else None
        return Scored(self._calibrated(fused, "hate"), harm, fused)

    def _calibrated(self, fused: Fused, head: str) -> np.ndarray:
        calibration = self._calibration[head]
        return calibration["scale"] * fused.logits[:, self._columns[head]] + calibration["offset"]

    def _encode(
        self, images: Sequence[Image.Image | None], texts: Sequence[str]
    ) -> tuple[Tokens | None, Tokens | None]:
        here = [row for row, image in enumerate(images) if image is not None]
        spoken = [row for row, text in enumerate(texts) if normalize(text).text]
        seen = self.encoder.encode_images([image for image in images if image is not None]) if here else None
        read = self.encoder.encode_texts([texts[row] for row in spoken]) if spoken else None
        return _spread(seen, here, len(images)), _spread(read, spoken, len(texts))


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    return float(0.5 * (1 + np.tanh(0.5 * float(logit))))


def _spread(tokens: Tokens | None, rows: Sequence[int], count: int) -> Tokens | None:
    """Tokens of some rows as tokens of all `count` rows; the others are masked, which the fusion takes for absent."""
    if tokens is None or len(rows) == count:
        return tokens
    spread = np.zeros((count, *tokens.tokens.shape[1:]), np.float32)
    mask = np.zeros((count, tokens.mask.shape[1]), dtype=bool)
    pooled = np.zeros((count, tokens.pooled.shape[1]), np.float32)
    spread[rows], mask[rows], pooled[rows] = tokens.tokens, tokens.mask, tokens.pooled
    return Tokens(spread, mask, pooled)
