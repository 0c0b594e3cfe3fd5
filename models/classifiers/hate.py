"""The verdict: encoder, fusion, calibration and bands in one classifier."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from models import weights
from models.analysis import Bands, Harm, Label, Meme, Verdict
from models.classifiers.heads import sigmoid
from models.encoders.base import Encoder, Tokens, encode_rows
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, BadWeights
from models.fusion.base import Fused, Fusion, FusionSession
from models.io.captions import Normalized, normalize
from models.io.language import Language, unmeasured
from models.io.readings import OtherReading
from models.reading import Reading
from models.tokenizers.base import length_batches
from models.weights import Card

_MEANINGS = tomllib.loads(Path(__file__).with_name("meanings.toml").read_text(encoding="utf-8"))
MEANING: dict[Label, str] = _MEANINGS["verdict"]
HARM_MEANING: str = _MEANINGS["harm"]
UNKNOWN = Language()
BATCH_SIZE = 8  # memes; larger batches do not fit the processor's cache and take a third longer


@dataclass(frozen=True)
class Scored:
    """Calibrated logits [batch] of both heads, harm None without such a head, and the fusion's output."""

    hate: np.ndarray
    harm: np.ndarray | None
    fused: Fused


class HateClassifier:
    """An encoder, a fusion trained on its tokens, and that fusion's card. Thread-safe."""

    def __init__(self, encoder: Encoder, fusion: Fusion, card: Card) -> None:
        self.encoder, self.fusion, self.card = encoder, fusion, card
        self.bands = Bands(**card.setting("bands"))
        self.thresholds: dict[str, float] = dict(card.setting("thresholds"))
        self._calibration = card.setting("calibration")
        self._columns = {label: column for column, label in enumerate(card.setting("labels"))}
        self.languages: tuple[str, ...] = tuple(card.config.get("languages", ("en",)))
        """ISO 639-1 codes of the languages that this classifier was measured on."""
        self.cautions: tuple[str, ...] = tuple(card.config.get("cautions", ()))
        """Sentences about this classifier for the readers of an explanation."""

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
        return self._scored(self.fusion.fuse(image, text))

    def check(self, meme: Meme) -> None:
        """Raises `BadInput` where the classifier cannot judge such a meme at all."""
        if self.card.config.get("needs_picture") and meme.image is None:
            raise BadInput(f"{self.card.name} judges pictures only: add a picture, or choose another profile.")

    def score(self, images: Sequence[Image.Image | None], texts: Sequence[str]) -> Scored:
        """One row a meme; a missing picture is None, missing words are blank. `fused` has no attention here.

        Memes with captions of like length go through the networks together, so that little is spent on padding.
        """
        logits = np.zeros((len(texts), len(self._columns)), np.float32)
        for rows in length_batches([len(text) for text in texts], BATCH_SIZE):
            pictures = {n: image for n, row in enumerate(rows) if (image := images[row]) is not None}
            spoken = {n: texts[row] for n, row in enumerate(rows) if normalize(texts[row]).text}
            image_tokens = encode_rows(self.encoder.encode_images, pictures, len(rows))
            text_tokens = encode_rows(self.encoder.encode_texts, spoken, len(rows))
            logits[rows] = self.fusion.fuse(image_tokens, text_tokens).logits
        return self._scored(Fused(logits))

    def verdict(self, logit: float, language: Language = UNKNOWN) -> Verdict:
        """The verdict for a calibrated logit; words in a language that was not measured are left to a person."""
        probability = float(sigmoid(logit))
        if why := unmeasured(language, self.languages):
            return Verdict("needs_review", probability, float(logit), self.bands, why, decided_by="language")
        label: Label = "not_hateful"
        if probability >= self.bands.hateful_from:
            label = "hateful"
        elif probability >= self.bands.review_from:
            label = "needs_review"
        return Verdict(label, probability, float(logit), self.bands, MEANING[label])

    def decide(
        self, spoken: Sequence[Normalized], logits: Sequence[float] | np.ndarray, language: Language = UNKNOWN
    ) -> tuple[int, Verdict]:
        """Which of a caption's `readings` decides, and its verdict: the other one, if its probability is visibly higher.

        What hides hate is another spelling; a harmless reading excuses nothing that is written.
        """
        verdicts = [self.verdict(logit, language) for logit in logits]
        written, other = verdicts[0], spoken[-1]
        if not isinstance(other, OtherReading):
            return 0, written
        probability, as_written = verdicts[1].probability, written.probability
        decided = round(probability, 2) > round(as_written, 2)  # as they are printed
        reading = Reading(other.text, decided, probability, as_written, other.changes)
        return int(decided), replace(verdicts[decided], reading=reading)

    def harm(self, logit: float) -> Harm:
        """How HarMeme's annotators would judge, for a calibrated logit."""
        return Harm(float(sigmoid(logit)), HARM_MEANING)

    def _scored(self, fused: Fused) -> Scored:
        harm = self._calibrated(fused, "harm") if "harm" in self._columns else None
        return Scored(self._calibrated(fused, "hate"), harm, fused)

    def _calibrated(self, fused: Fused, head: str) -> np.ndarray:
        calibration = self._calibration[head]
        return calibration["scale"] * fused.logits[:, self._columns[head]] + calibration["offset"]
