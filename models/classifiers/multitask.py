"""Multitask models: folders of `weights/` whose card says what the graph reads and which heads it has.

What a side `reads`: `mini` are the tokens of the shared `mini` encoder, `pieces` embedded word pieces (the graph has its
own tower; `towers` names their vocabulary), `words` ids of whole words from its own list, `pixels` the picture itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models import weights
from models.classifiers.heads import Head, columns
from models.encoders.base import GRID, Encoder, Tokens, encode_rows
from models.encoders.mini import MiniEncoder
from models.errors import BadWeights
from models.io.captions import normalize
from models.io.images import preprocess
from models.tokenizers.wordpieces import Vocabulary
from models.tokenizers.words import WordList, cleaned
from models.weights import Card

_log = logging.getLogger("subtext.systems")

KIND = "system"
BATCH_SIZE = 32
PATCHES = GRID * GRID
PIECE_WIDTH = 384  # of an embedded word piece


@dataclass(frozen=True)
class Answer:
    """One target of one meme: calibrated probabilities by class, in the card's order, and the predicted class."""

    task: str
    target: str
    probabilities: dict[str, float]
    predicted: str


class MultitaskModel:
    """A multitask model of weights/. Thread-safe.

    `encoder` is the shared `mini` encoder; models that read none of its tokens do without it.
    """

    def __init__(self, card: Card, encoder: Encoder | None = None, *, threads: int = 0) -> None:
        if card.config.get("kind") != KIND:
            raise BadWeights(f"weights/{card.name} holds no trained system: name another one.")
        self.card, self._encoder = card, encoder
        self.inputs: dict[str, dict[str, Any]] = card.setting("inputs")
        self.heads = tuple(Head.from_dict(head) for head in card.setting("heads"))
        self._columns = columns(self.heads)
        self._session = weights.session(card, threads=threads)
        text = self.inputs.get("text", {})
        self._words: WordList | None = None
        self._pieces: Vocabulary | None = None
        if text.get("reads") == "words":
            known = json.loads((card.folder / "words.json").read_text(encoding="utf-8"))
            self._words = WordList(known, max_length=int(text["longest"]))
        elif text.get("reads") == "pieces":
            (vocabulary,) = text["towers"]
            self._pieces = Vocabulary(weights.card(vocabulary), max_length=int(text["longest"]))
        towers = {name: identity for side in self.inputs.values() for name, identity in side.get("towers", {}).items()}
        for name, identity in towers.items():
            if weights.card(name).identity != identity:
                raise BadWeights(
                    f"weights/{card.name} was trained on other towers than weights/{name}: run `git checkout -- "
                    f"weights`, or train it again with `python -m training fit {card.name}`."
                )

    @classmethod
    def load(cls, name: str, encoder: Encoder | None = None, *, threads: int = 0) -> MultitaskModel:
        """From `weights/<name>`; `BadWeights` if it is missing, damaged or trained on other towers."""
        return cls(weights.card(name), encoder, threads=threads)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its heads."""
        return tuple(head.name for head in self.heads)

    def reads(self, side: str) -> bool:
        """Whether it reads the side `image` or `text`."""
        return side in self.inputs

    @property
    def needs_texts(self) -> bool:
        """Whether it reads texts by itself, so that the shared encoder's tokens of them do not help."""
        return self._pieces is not None or self._words is not None

    def logits(self, images: Sequence[Image.Image | None], texts: Sequence[str]) -> np.ndarray:
        """float32 [networks, memes, logits of all heads]; None and blank texts are absent sides."""
        parts = []
        for start in range(0, len(texts), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            inputs: dict[str, np.ndarray] = {}
            if "image" in self.inputs:
                inputs["image"], inputs["image_mask"] = self._image_inputs(images[batch])
            if "text" in self.inputs:
                inputs["text"], inputs["text_mask"] = self._text_inputs(texts[batch])
            parts.append(self._session.run(["logits"], inputs)[0])
        return np.concatenate(parts, axis=1)

    def logits_of_tokens(self, image: Tokens | None, text: Tokens | None) -> np.ndarray:
        """As `logits`, from tokens of the shared encoder, for models that read nothing else."""
        rows = len((image or text).mask)  # type: ignore[union-attr]  # a meme has one of them
        inputs: dict[str, np.ndarray] = {}
        if "image" in self.inputs:
            inputs["image"], inputs["image_mask"] = _fit(image, rows, MiniEncoder.image_width)
        if "text" in self.inputs:
            longest = int(self.inputs["text"]["longest"])
            inputs["text"], inputs["text_mask"] = _fit(text, rows, MiniEncoder.text_width, longest)
        return self._session.run(["logits"], inputs)[0]

    def answers(self, logits: np.ndarray) -> list[list[Answer]]:
        """For each meme an answer for every target."""
        answers: list[list[Answer]] = [[] for _ in range(logits.shape[1])]
        for head, column in zip(self.heads, self._columns, strict=True):
            head_probs = head.probabilities(logits[:, :, column])
            for target, rule, probs in zip(head.targets, head.rules, head_probs, strict=True):
                for meme, predicted in enumerate(rule.decide(probs)):
                    by_class = dict(zip(target.classes, probs[meme].tolist(), strict=True))
                    answers[meme].append(Answer(head.name, target.name, by_class, target.classes[predicted]))
        return answers

    def _image_inputs(self, images: Sequence[Image.Image | None]) -> tuple[np.ndarray, np.ndarray]:
        present = {row: image for row, image in enumerate(images) if image is not None}
        if self.inputs["image"]["reads"] == "pixels":
            side = int(self.inputs["image"]["side"])
            pixels = np.zeros((len(images), 3, side, side), np.float32)
            for row, image in present.items():
                pixels[row] = preprocess(image, side)
            return pixels, np.array([[image is not None] for image in images])
        tokens = encode_rows(self._image_tokens, present, len(images))
        return _fit(tokens, len(images), MiniEncoder.image_width)

    def _text_inputs(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        settings = self.inputs["text"]
        plain = [cleaned(text) for text in texts] if settings.get("clean") else list(texts)
        if self._words is not None:
            return self._words.batch(plain)
        present = {row: text for row, text in enumerate(plain) if normalize(text).text}
        width = MiniEncoder.text_width if self._pieces is None else PIECE_WIDTH
        return _fit(encode_rows(self._text_tokens, present, len(plain)), len(plain), width, int(settings["longest"]))

    def _image_tokens(self, images: Sequence[Image.Image]) -> Tokens:
        return self._shared_encoder.encode_images(images)

    def _text_tokens(self, texts: Sequence[str]) -> Tokens:
        if self._pieces is None:
            return self._shared_encoder.encode_texts(texts)
        pieces = self._pieces.look_up(texts)
        return Tokens(pieces.embedded, pieces.mask.astype(bool), np.zeros((len(texts), 0)))

    @property
    def _shared_encoder(self) -> Encoder:
        if self._encoder is None:
            raise BadWeights(f"weights/{self.card.name} reads the shared towers, which were not given to it.")
        return self._encoder


def names() -> tuple[str, ...]:
    """The multitask models in `weights/`, whether or not they are complete."""
    return tuple(file.parent.name for file in sorted(weights.root().glob("*/config.json")) if _is_multitask(file))


def titled(title: str, measured_with: Mapping[str, str]) -> str:
    """`Memotion: RoBERTa (here: mini)`: the title names an encoder that stood in for the configuration's own.

    measured_with: a side to the encoder's spec, or to a phrase that begins with the spec of what stood in.
    """
    specs = (encoder.partition(" ")[0].rpartition(":")[2] for encoder in measured_with.values() if " " in encoder)
    stand_ins = ", ".join(dict.fromkeys(specs))
    return f"{title} (here: {stand_ins})" if stand_ins else title


def _fit(tokens: Tokens | None, rows: int, width: int, longest: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [rows, n, width] and their mask, n at least 2 and at most `longest` (0: the number of patches)."""
    size = PATCHES if not longest else 2 if tokens is None else max(2, min(longest, tokens.mask.shape[1]))
    values, mask = np.zeros((rows, size, width), np.float32), np.zeros((rows, size), bool)
    if tokens is not None:
        end = min(size, tokens.mask.shape[1])
        values[:, :end], mask[:, :end] = tokens.tokens[:, :end], tokens.mask[:, :end]
    return values, mask


def _is_multitask(config: Path) -> bool:
    try:
        return bool(json.loads(config.read_text(encoding="utf-8")).get("kind") == KIND)
    except (OSError, ValueError, AttributeError) as error:  # unreadable, no JSON, no object
        _log_once(config.parent.name, type(error).__name__)
        return False


@cache
def _log_once(name: str, kind: str) -> None:
    _log.warning("weights/%s is left out: its config.json is damaged (%s)", name, kind)
