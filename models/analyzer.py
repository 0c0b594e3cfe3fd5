"""The one object that a page, the API, the batch and the command line hold: a meme in, an analysis out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TypeVar

from models import lenses as lens_specs
from models import profiles
from models.analysis import (
    Analysis,
    Attention,
    Emotions,
    Evidence,
    Explanation,
    FaceEmotions,
    Harm,
    ImageInfo,
    Lens,
    Meme,
    ProfileInfo,
    Stage,
    Status,
    TextEmotions,
    Verdict,
)
from models.captions import normalize
from models.emotions.reading import FaceReader
from models.emotions.text import TextEmotionClassifier
from models.encoders.encoder import Tokens
from models.encoders.mini import MiniEncoder
from models.encoders.wordpieces import WordPieces
from models.errors import BadInput, SubtextError
from models.explain import attention, evidence, narrative
from models.hate import HateClassifier, Scored
from models.lenses import Lenses
from models.memory import give_back_memory
from models.ocr.rapid import RapidReader
from models.ocr.reader import Reader
from models.profiles import Profile

OnStage = Callable[[Stage], None]
Part = TypeVar("Part", TextEmotions, FaceEmotions, Attention, Evidence, Explanation)
Model = TypeVar("Model", TextEmotionClassifier, FaceReader)
AT_ONCE = 32  # memes that `score` puts through the models together


class Analyzer:
    """Safe to share between threads: nothing of a meme is kept.

    >>> analyzer = Analyzer()
    >>> analysis = analyzer.analyze(Meme(picture, captions.read(picture, None, analyzer.reader)))
    >>> analysis.verdict.label
    'not_hateful'
    """

    def __init__(self, profile: Profile | str = "auto", device: str = "auto", *, threads: int = 0) -> None:
        """`threads` 0 means one a core. Raises `BadInput` for an unknown profile or device, `BadWeights` if damaged."""
        if device not in ("auto", "cpu"):
            raise BadInput(f"The mini profile runs on the CPU, not on {device!r}: leave the device at 'auto'.")
        self.profile = profile if isinstance(profile, Profile) else profiles.choose(profile)
        self._encoder = MiniEncoder(threads=threads)
        self._hate = HateClassifier.mini(self._encoder, threads=threads)
        # Without these two there is still a verdict: what is wrong with them is told where they are asked.
        self._text_emotions = _loaded(lambda: TextEmotionClassifier(self._encoder.vocabulary, threads=threads))
        self._faces = _loaded(lambda: FaceReader(threads=threads))
        self._lenses = Lenses(self._encoder, threads=threads)
        self.reader: Reader = RapidReader()
        cards = [self._encoder.vocabulary.card, *self._encoder.cards, self._hate.card]
        if isinstance(self._text_emotions, TextEmotionClassifier):
            cards.append(self._text_emotions.card)
        if isinstance(self._faces, FaceReader):
            cards.extend(self._faces.cards)
        self.info = ProfileInfo(
            name=self.profile.name,
            device="cpu",
            dtype="float32",
            parameters=sum(card.parameters for card in cards),
            weights={card.name: card.identity for card in cards},
        )

    def analyze(
        self,
        meme: Meme,
        *,
        explain: bool = True,
        lenses: Collection[str] = (),
        on_stage: OnStage | None = None,
    ) -> Analysis:
        """Everything about one meme; with `explain` False no attention, evidence or text, only the answers.

        `on_stage` hears of each stage when it starts and when it has ended. A stage that fails beside the verdict
        becomes a status with a sentence; a failing verdict raises.
        """
        lens_specs.asked(lenses)  # an unknown name is told before anything runs
        stages = _Stages(on_stage)
        text = meme.caption.text
        pieces: WordPieces | None = None
        image = words = None
        if meme.image is not None:
            with stages.stage("picture"):
                image = self._encoder.encode_images([meme.image])
        if normalize(text).text:  # what the models read of it
            with stages.stage("words"):
                pieces = self._encoder.vocabulary.look_up([text])
                words = self._encoder.encode_pieces(pieces)
        with stages.stage("verdict"):
            scored = self._hate.score_tokens(image, words)
        analysis = Analysis(
            profile=self.info,
            image=None
            if meme.image is None
            else ImageInfo(meme.image.width, meme.image.height, meme.format, meme.sha256),
            caption=meme.caption,
            verdict=self._hate.verdict(scored.hate[0]),
            harm=self._hate.harm(scored.harm[0]),
            emotions=Emotions(
                stages.part("text emotions", TextEmotions, lambda: self._read_emotions(text, pieces)),
                stages.part("faces", FaceEmotions, lambda: self._read_faces(meme)),
            ),
            attention=Attention("off"),
            evidence=Evidence("off"),
            explanation=Explanation(),
            lenses=self._read_lenses(lenses, image, words, stages) if lenses else dict[str, Lens](),
            stages=(),
        )
        if explain:
            analysis = self._explain(analysis, meme, image, words, pieces, scored, stages)
            give_back_memory()  # each thread that analyzes would else keep its own
        return replace(analysis, stages=tuple(stages.ended))

    def score(self, memes: Sequence[Meme]) -> list[Verdict]:
        """Verdicts only, batched."""
        return [self._hate.verdict(logit) for scored in self._score(memes) for logit in scored.hate]

    def harm(self, memes: Sequence[Meme]) -> list[Harm]:
        """What HarMeme's annotators would say, batched."""
        return [self._hate.harm(logit) for scored in self._score(memes) for logit in scored.harm]

    def text_emotions(self, texts: Sequence[str]) -> list[TextEmotions]:
        """The emotions of many texts, batched."""
        found = []
        for start in range(0, len(texts), AT_ONCE):
            found += _there(self._text_emotions).classify(texts[start : start + AT_ONCE])
        return found

    def threshold(self, head: str) -> float:
        """The probability from which `hate` or `harm` is answered yes where there is no third answer."""
        return self._hate.thresholds[head]

    def _score(self, memes: Sequence[Meme]) -> Iterator[Scored]:
        for start in range(0, len(memes), AT_ONCE):
            some = memes[start : start + AT_ONCE]
            yield self._hate.score([meme.image for meme in some], [meme.caption.text for meme in some])

    def _read_lenses(
        self, names: Collection[str], image: Tokens | None, words: Tokens | None, stages: _Stages
    ) -> dict[str, Lens]:
        """A lens that fails says so itself; whatever else goes wrong must not take the verdict down either."""
        found: dict[str, Lens] = {}
        try:
            with stages.stage("lenses"):
                found = self._lenses.read(names, image, words)
        except Exception as error:
            sentence = f"This part failed ({type(error).__name__}); the verdict does not depend on it."
            found = {name: Lens("failed", detail=sentence) for name in names}
        return found

    def _read_emotions(self, text: str, pieces: WordPieces | None) -> TextEmotions:
        return TextEmotions("no_text") if pieces is None else _there(self._text_emotions).classify([text])[0]

    def _read_faces(self, meme: Meme) -> FaceEmotions:
        return FaceEmotions("no_image") if meme.image is None else _there(self._faces).read(meme.image)

    def _explain(
        self,
        analysis: Analysis,
        meme: Meme,
        image: Tokens | None,
        words: Tokens | None,
        pieces: WordPieces | None,
        scored: Scored,
        stages: _Stages,
    ) -> Analysis:
        text = meme.caption.text
        spans = words.spans[0] if words is not None else ()
        drawn = stages.part(
            "attention",
            Attention,
            lambda: attention.draw(scored.fused, text, spans, has_image=image is not None),
        )
        base = float(scored.hate[0])
        measured = stages.part(
            "evidence", Evidence, lambda: evidence.measure(self._hate, meme, image, words, base=base)
        )
        analysis = replace(analysis, attention=drawn, evidence=measured)
        written = stages.part("explanation", Explanation, lambda: narrative.write(analysis))
        if pieces is not None and pieces.cut[0]:
            caution = "The caption is long: the model read its first part only."
            written = replace(written, cautions=(caution, *written.cautions))
        return replace(analysis, explanation=written)


def _loaded(load: Callable[[], Model]) -> Model | SubtextError:
    """The model, or the sentence that says why it is not there."""
    try:
        return load()
    except SubtextError as error:
        return error


def _there(model: Model | SubtextError) -> Model:
    if isinstance(model, SubtextError):
        raise type(model)(*model.args)  # a new one: a raised exception holds its frames, and these hold the meme
    return model


class _Stages:
    """Times the stages, tells of them, and turns the failure of an optional one into its status."""

    def __init__(self, on_stage: OnStage | None) -> None:
        self._tell = on_stage or (lambda _: None)
        self.ended: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._tell(Stage(name))
        started = time.perf_counter()
        status: Status = "failed"
        try:
            yield
            status = "ok"
        finally:
            self._end(name, started, status)

    def part(self, name: str, kind: type[Part], compute: Callable[[], Part]) -> Part:
        self._tell(Stage(name))
        started = time.perf_counter()
        status: Status = "failed"
        try:
            part = compute()
            status = getattr(part, "status", "ok")  # an explanation has none
        except SubtextError as error:
            part = _failed(kind, str(error))
        except Exception as error:  # an optional part never takes the verdict down
            part = _failed(kind, f"This part failed ({type(error).__name__}); the verdict does not depend on it.")
        self._end(name, started, status)
        return part

    def _end(self, name: str, started: float, status: Status) -> None:
        stage = Stage(name, round((time.perf_counter() - started) * 1000, 1), status)
        self.ended.append(stage)
        self._tell(stage)


def _failed(kind: type[Part], sentence: str) -> Part:
    found = {field.name for field in fields(kind)}
    return kind(**({"status": "failed", "detail": sentence} if "status" in found else {"cautions": (sentence,)}))
