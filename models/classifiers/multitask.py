"""Trained systems beside the verdict: a folder of `weights/` whose card says what it reads, and its graph answers.

What a side `reads`: `mini` are the tokens of the shared towers, `pieces` the embedded word pieces of `mini_vocabulary` (a
tower is in the system's own graph), `words` the numbers of whole words from a list of its own, `pixels` the picture itself.
Whatever is not read by a system is not shown to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from models import weights
from models.classifiers.heads import Head, columns
from models.encoders.base import GRID, Encoder, Tokens
from models.encoders.mini import MiniEncoder
from models.errors import BadWeights
from models.io.captions import normalize
from models.io.images import preprocess
from models.tokenizers.wordpieces import Vocabulary
from models.tokenizers.words import WordList, cleaned
from models.weights import Card

KIND = "system"
AT_ONCE = 32
PATCHES = GRID * GRID
PIECE = 384  # width of an embedded word piece


@dataclass(frozen=True)
class Answer:
    """To one question about one meme: calibrated probabilities by class, in the card's order, and the class given."""

    task: str
    question: str
    probabilities: dict[str, float]
    given: str


class MultitaskModel:
    """Safe to share between threads.

    `encoder` gives the shared towers' tokens; systems that read none of them do without it.
    """

    def __init__(self, card: Card, encoder: Encoder | None = None, *, threads: int = 0) -> None:
        if card.config.get("kind") != KIND:
            raise BadWeights(f"weights/{card.name} holds no trained system: name another one.")
        self.card, self._encoder = card, encoder
        self.inputs: dict[str, dict[str, Any]] = card.setting("inputs")
        self.heads = tuple(Head.from_dict(head) for head in card.setting("heads"))
        self._columns = columns(self.heads)
        self._session = weights.session(card, threads=threads)
        self._words: WordList | None = None
        if self.inputs.get("text", {}).get("reads") == "words":
            known = json.loads((card.folder / "words.json").read_text(encoding="utf-8"))
            self._words = WordList(tuple(known), longest=int(self.inputs["text"]["longest"]))
        self._pieces: Vocabulary | None = None
        if self.inputs.get("text", {}).get("reads") == "pieces":
            self._pieces = Vocabulary(longest=int(self.inputs["text"]["longest"]))
        self._check_towers()

    @classmethod
    def load(cls, name: str, encoder: Encoder | None = None, *, threads: int = 0) -> MultitaskModel:
        """From `weights/<name>`; `BadWeights` if it is missing, damaged or trained on other towers."""
        return cls(weights.card(name), encoder, threads=threads)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(head.name for head in self.heads)

    def reads(self, side: str) -> bool:
        """Whether it looks at `image` or at `text`."""
        return side in self.inputs

    def logits(self, images: Sequence[Image.Image | None], texts: Sequence[str]) -> np.ndarray:
        """float32 [networks, memes, all of the heads]; None and blank texts are sides that are not there."""
        parts = []
        for start in range(0, len(texts), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            fed: dict[str, np.ndarray] = {}
            if "image" in self.inputs:
                fed["image"], fed["image_mask"] = self._pictures(images[some])
            if "text" in self.inputs:
                fed["text"], fed["text_mask"] = self._texts(texts[some])
            parts.append(self._session.run(["logits"], fed)[0])
        return np.concatenate(parts, axis=1)

    def logits_of_tokens(self, image: Tokens | None, text: Tokens | None) -> np.ndarray:
        """The same from tokens of the shared towers, for systems that read nothing else; `longest` is kept to."""
        rows = len((image or text).mask)  # type: ignore[union-attr]  # a meme has one of them
        fed: dict[str, np.ndarray] = {}
        for side, tokens in (("image", image), ("text", text)):
            if side in self.inputs:
                picture = side == "image"
                width = MiniEncoder.image_width if picture else MiniEncoder.text_width
                longest = 0 if picture else int(self.inputs[side]["longest"])
                fed[side], fed[f"{side}_mask"] = _spread(tokens, range(rows), rows, width, longest)
        found: np.ndarray = self._session.run(["logits"], fed)[0]
        return found

    def answers(self, logits: np.ndarray) -> list[list[Answer]]:
        """For each meme the answers to all questions."""
        found: list[list[Answer]] = [[] for _ in range(logits.shape[1])]
        for head, where in zip(self.heads, self._columns, strict=True):
            chances = head.probabilities(logits[:, :, where])
            for question, rule, part in zip(head.questions, head.rules, chances, strict=True):
                for meme, given in enumerate(rule.decide(part)):
                    named = dict(zip(question.classes, part[meme].tolist(), strict=True))
                    found[meme].append(Answer(head.name, question.name, named, question.classes[given]))
        return found

    def _pictures(self, images: Sequence[Image.Image | None]) -> tuple[np.ndarray, np.ndarray]:
        here = [row for row, image in enumerate(images) if image is not None]
        if self.inputs["image"]["reads"] == "pixels":
            side = int(self.inputs["image"]["side"])
            pixels = np.zeros((len(images), 3, side, side), np.float32)
            for row in here:
                pixels[row] = preprocess(images[row], side)  # type: ignore[arg-type]
            return pixels, np.array([[image is not None] for image in images])
        tokens = self._towers().encode_images([image for image in images if image is not None]) if here else None
        return _spread(tokens, here, len(images), MiniEncoder.image_width, 0)

    def _texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        asked = self.inputs["text"]
        plain = [cleaned(text) for text in texts] if asked.get("clean") else list(texts)
        if self._words is not None:
            return self._words.batch(plain)
        here = [row for row, text in enumerate(plain) if normalize(text).text]
        if self._pieces is not None:
            read = self._pieces.look_up([plain[row] for row in here])
            tokens = Tokens(read.embedded, read.mask.astype(bool), np.zeros((len(here), 0))) if here else None
            return _spread(tokens, here, len(plain), PIECE, int(asked["longest"]))
        tokens = self._towers().encode_texts([plain[row] for row in here]) if here else None
        return _spread(tokens, here, len(plain), MiniEncoder.text_width, int(asked["longest"]))

    def _towers(self) -> Encoder:
        if self._encoder is None:
            raise BadWeights(f"weights/{self.card.name} reads the shared towers, which were not given to it.")
        return self._encoder

    def _check_towers(self) -> None:
        wanted = {name: identity for side in self.inputs.values() for name, identity in side.get("towers", {}).items()}
        for name, identity in wanted.items():
            if weights.card(name).identity != identity:
                raise BadWeights(
                    f"weights/{self.card.name} was trained on other towers than weights/{name}: run `git checkout -- "
                    f"weights`, or train it again with `python -m training fit {self.card.name}`."
                )


def names() -> tuple[str, ...]:
    """The trained systems in `weights/`, whether or not they are whole."""
    return tuple(sorted(file.parent.name for file in weights.root().glob("*/config.json") if _is_system(file)))


def titled(title: str, measured_with: Mapping[str, str]) -> str:
    """`Memotion: RoBERTa (here: mini)`: where another encoder stood in for the one that the recipe names, the title says so.

    measured_with: a side to the encoder's spec, or to a phrase that begins with the spec of what stood in.
    """
    stood_in = (how.partition(" ")[0].rpartition(":")[2] for how in measured_with.values() if " " in how)
    told = ", ".join(dict.fromkeys(stood_in))
    return f"{title} (here: {told})" if told else title


def _is_system(file: Any) -> bool:
    try:
        return bool(json.loads(file.read_text(encoding="utf-8")).get("kind") == KIND)
    except (OSError, ValueError, AttributeError):
        return False


def _spread(
    tokens: Tokens | None, here: Sequence[int], count: int, width: int, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of some rows among all `count`, cut to `longest` (0: as many as a picture has); other rows are masked."""
    size = PATCHES if not longest else 2 if tokens is None else max(2, min(longest, tokens.mask.shape[1]))
    found, mask = np.zeros((count, size, width), np.float32), np.zeros((count, size), bool)
    if tokens is not None:
        end = min(size, tokens.mask.shape[1])
        found[list(here), :end], mask[list(here), :end] = tokens.tokens[:, :end], tokens.mask[:, :end]
    return found, mask
