"""An analyzer without models for the app's tests: quick, deterministic, answering to caption and picture alike."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from models.analysis import (
    Analysis,
    Attention,
    Bands,
    Emotion,
    Emotions,
    Evidence,
    Explanation,
    Expression,
    Face,
    FaceEmotions,
    Fact,
    Harm,
    ImageInfo,
    Label,
    Lens,
    Line,
    Meme,
    ProfileInfo,
    RegionEffect,
    Shapley,
    Stage,
    TextEmotions,
    Verdict,
    WordEffect,
    WordWeight,
)
from models.reading import Reading, Respelled

EMOTIONS = (
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
)
EXPRESSIONS = ["happy", "neutral", "surprise", "sad", "fear", "angry", "disgust"]
INFO = ProfileInfo("mini", "cpu", "float32", 26_000_000, {"hate_cross_attention": "ab" * 32})
FILLER = "A sentence of the length that measurements are told in, again and again, so that the page is as full. "
BANDS = Bands(review_from=0.4, hateful_from=0.7)


def _part(*keys: object) -> float:
    """A number in 0-1 that depends on the keys alone."""
    return int.from_bytes(hashlib.sha256(repr(keys).encode()).digest()[:4], "big") / 2**32


def _spans(text: str) -> list[tuple[str, int, int]]:
    chunks, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        chunks.append((word, start, at))
    return chunks


@dataclass
class FakeReader:
    """Reads the same lines from every picture."""

    lines: list[Line] = field(default_factory=lambda: [Line("when the tests pass", 0.98, (20.0, 10.0, 300.0, 40.0))])
    error: Exception | None = None
    calls: int = 0

    def read(self, image: Image.Image) -> list[Line]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.lines


class FakeEncoder:
    """Of no profile: the systems that read its tokens are listed, and cannot answer."""


ENCODER = FakeEncoder()  # one of all fakes: these systems are loaded once for each encoder


@dataclass
class FakeAnalyzer:
    """Hateful where the caption says "despise", unsure where it says "maybe", not hateful otherwise."""

    reader: FakeReader = field(default_factory=FakeReader)
    error: Exception | None = None
    failed: Collection[str] = ()
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    info: ProfileInfo = INFO
    encoder: FakeEncoder = ENCODER
    lenses: list[tuple[str, ...]] = field(default_factory=list)

    def analyze(
        self,
        meme: Meme,
        *,
        explain: bool = True,
        lenses: Collection[str] = (),
        on_stage: Callable[[Stage], None] | None = None,
    ) -> Analysis:
        text, image = meme.caption.text, meme.image
        with self.lock:
            self.calls.append(text)
            self.lenses.append(tuple(lenses))
        if self.error is not None:
            raise self.error
        stages = []
        for name in ("picture", "words", "verdict", "text emotions", "faces", "attention", "evidence", "explanation"):
            if on_stage is not None:
                on_stage(Stage(name))
            stages.append(Stage(name, 12.5, "failed" if name in self.failed else "ok"))
            if on_stage is not None:
                on_stage(stages[-1])
        verdict = _verdict(text)
        return Analysis(
            profile=self.info,
            image=ImageInfo(image.width, image.height, meme.format, meme.sha256) if image else None,
            caption=meme.caption,
            verdict=verdict,
            harm=Harm(0.34, "It takes in mockery of single people and dangerous claims. It is not the verdict."),
            emotions=Emotions(self._text(text), self._faces(image)),
            attention=self._attention(text, image),
            evidence=self._evidence(text, image, verdict.logit),
            explanation=Explanation(
                f"The answer is {verdict.label.replace('_', ' ')} at {verdict.probability:.2f}. "
                f"The words carried it. Without '{text[:20]}': .34.\n" + "\n".join([FILLER * 4] * 3),
                (Fact("verdict.probability", verdict.probability),),
                ("The model cannot know who speaks.", "Irony looks like sincerity to it."),
            ),
            lenses={name: Lens("ok", (Emotion(name, 0.7, 0.5, True),)) for name in lenses},
            stages=tuple(stages),
        )

    def score(self, memes: Sequence[Meme]) -> list[Verdict]:
        """By the words, as `analyze`; a picture in nearly one colour, pure red, is hateful whatever its words."""
        return [_verdict("despise" if _red(meme.image) else meme.caption.text) for meme in memes]

    def judge(self, memes: Sequence[Meme]) -> list[tuple[Verdict, Harm]]:
        analyses = [self.analyze(meme) for meme in memes]
        return [(analysis.verdict, analysis.harm) for analysis in analyses if analysis.harm is not None]

    def read_words(
        self, texts: Sequence[str], lenses: Collection[str], verdicts: Sequence[Label | None]
    ) -> list[dict[str, Lens]]:
        """Of women where the text says so; a kind is read where the verdict lets it be."""
        group = [Lens("ok", (Emotion("women", 0.7, 0.5, "women" in text.lower()),)) for text in texts]
        threat, off = Lens("ok", (Emotion("threat", 0.7, 0.5, True),)), Lens("off", detail="Not read.")
        kind = [off if verdict == "not_hateful" else threat for verdict in verdicts]
        both = {"group": group, "kind": kind}
        return [{name: both[name][row] for name in lenses} for row in range(len(texts))]

    def harm(self, memes: Sequence[Meme]) -> list[Harm]:
        return [harm for _, harm in self.judge(memes)]

    def text_emotions(self, texts: Sequence[str]) -> list[TextEmotions]:
        return [self._text(text) for text in texts]

    def faces(self, meme: Meme) -> FaceEmotions:
        return self._faces(meme.image)

    def threshold(self, _task: str) -> float:
        return BANDS.hateful_from

    @property
    def bands(self) -> Bands:
        return BANDS

    def _text(self, text: str) -> TextEmotions:
        if "text emotions" in self.failed:
            return TextEmotions("failed", (), "The emotions in the words could not be read this time.")
        if not text.strip():
            return TextEmotions("no_text")
        scores = [Emotion(name, _part(text, name) ** 3, 0.35, _part(text, name) ** 3 >= 0.35) for name in EMOTIONS]
        return TextEmotions("ok", tuple(sorted(scores, key=lambda score: (-score.present, -score.probability))))

    def _faces(self, image: Image.Image | None) -> FaceEmotions:
        if "faces" in self.failed:
            return FaceEmotions("failed", (), "The faces could not be looked for this time.")
        if image is None:
            return FaceEmotions("no_image")
        if image.getpixel((0, 0)) == (255, 255, 255):
            return FaceEmotions("no_face")
        shares = [_part("face", name) for name in EXPRESSIONS]
        expressions = [Expression(name, share / sum(shares)) for name, share in zip(EXPRESSIONS, shares, strict=True)]
        expressions.sort(key=lambda expression: -expression.probability)
        wide, high = image.size
        boxes = [(0.2, 0.25, 0.4, 0.55), (0.6, 0.3, 0.75, 0.5)]
        faces = [Face((a * wide, b * high, c * wide, d * high), 0.93, tuple(expressions)) for a, b, c, d in boxes]
        return FaceEmotions("ok", tuple(faces))

    def _attention(self, text: str, image: Image.Image | None) -> Attention:
        if "attention" in self.failed:
            return Attention("failed", detail="The attention could not be drawn this time.")
        spans = _spans(text)
        weights = [_part("weight", *span) for span in spans]
        total = sum(weights) or 1.0
        words = tuple(
            WordWeight(word, start, end, weight / total)
            for (word, start, end), weight in zip(spans, weights, strict=True)
        )
        if image is None or not spans:
            return Attention("no_image" if image is None else "no_text", words)
        grids = tuple(_grid(word.text) for word in words)
        return Attention("ok", words, _grid(text), grids)

    def _evidence(self, text: str, image: Image.Image | None, logit: float) -> Evidence:
        if "evidence" in self.failed:
            return Evidence("failed", detail="What moved the score could not be measured this time.")
        base, side = -1.0, 0.4 if image is not None else 0.0
        words = tuple(WordEffect(*span, effect=2 * _part("effect", *span) - 0.8) for span in _spans(text))
        regions: tuple[RegionEffect, ...] = ()
        if image is not None:
            wide, high = image.width / 4, image.height / 4
            regions = tuple(
                RegionEffect((x * wide, y * high, (x + 1) * wide, (y + 1) * high), _part("region", x, y) - 0.5)
                for y in range(4)
                for x in range(4)
            )
        return Evidence("ok", Shapley(base, side, logit - base - side, 0.2, logit), words, regions)


def _red(image: Image.Image | None) -> bool:
    if image is None:
        return False
    red, green, blue = np.asarray(image.convert("RGB"), float).mean((0, 1))
    return bool(red > 240 and max(green, blue) < 20)


class FakeSpace:
    """Pictures lie at their mean colour, words at the colours that they name: red, green, blue."""

    same, side = 0.995, 224
    cards = ()

    def embed_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        return self._unit([np.asarray(image.convert("RGB"), np.float32).mean((0, 1)) for image in images])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        named = [[word in text.lower() for word in ("red", "green", "blue")] for text in texts]
        return self._unit([np.array(row, np.float32) for row in named])

    @staticmethod
    def _unit(rows: Sequence[np.ndarray]) -> np.ndarray:
        vectors = np.zeros((len(rows), 512), np.float32)
        for at, row in enumerate(rows):
            vectors[at, :3] = row / max(1e-6, float(np.linalg.norm(row)))
        return vectors


def _grid(key: str) -> tuple[tuple[float, ...], ...]:
    """A 7x7 grid that sums to 1 with one clear peak."""
    top, left = int(7 * _part("y", key)), int(7 * _part("x", key))
    raw = [[1 / (1 + (y - top) ** 2 + (x - left) ** 2) for x in range(7)] for y in range(7)]
    total = sum(map(sum, raw))
    return tuple(tuple(value / total for value in row) for row in raw)


def _verdict(text: str) -> Verdict:
    label: Label
    label, logit = ("hateful", 1.5) if "despise" in text else ("not_hateful", -2.0)
    if "maybe" in text:
        label, logit = "needs_review", 0.2
    probability = 1 / (1 + 2.718281828**-logit)
    reading = None
    if "desp1se" in text:  # the one word that this fake reads in two ways
        start, end = text.index("desp1se"), text.index("desp1se") + len("desp1se")
        label, logit = "hateful", 1.5
        as_written, probability = 0.12, 1 / (1 + 2.718281828**-logit)
        changes = (Respelled("despise", start, end),)
        reading = Reading(text.replace("desp1se", "despise"), True, probability, as_written, changes)
    return Verdict(
        label,
        probability,
        logit,
        BANDS,
        "Hate is an attack on people for what they are: religion, origin.",
        reading=reading,
    )
