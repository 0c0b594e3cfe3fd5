"""The one object that a page, the API, the batch and the command line hold: a meme in, an analysis out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from models import lenses as lens_specs
from models.analysis import (
    Analysis,
    Attention,
    Bands,
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
from models.classifiers.hate import Scored
from models.encoders.base import Encoder, Tokens
from models.errors import BadInput, SubtextError
from models.explain import attention, evidence, narrative
from models.io.captions import normalize
from models.lenses import Lenses
from models.ocr import registry as engines
from models.ocr.reader import Reader
from models.profiles import registry
from models.profiles.bundle import Parts, assemble, there
from models.profiles.registry import Profile
from models.runtime.memory import give_back_memory
from models.runtime.usage_lock import Gate

if TYPE_CHECKING:
    from models.io.hub import OnProgress

OnStage = Callable[[Stage], None]
Part = TypeVar("Part", TextEmotions, FaceEmotions, Attention, Evidence, Explanation)
LEFT_THE_GPU = "The GPU's memory was full, so this was computed on the CPU: it is as right, but it took longer."
AT_ONCE = 32  # memes that `score` puts through the models together


class Analyzer:
    """Safe to share between threads: nothing of a meme is kept.

    >>> analyzer = Analyzer()
    >>> analysis = analyzer.analyze(Meme(picture, captions.read(picture, None, analyzer.reader)))
    >>> analysis.verdict.label
    'not_hateful'
    """

    def __init__(
        self,
        profile: Profile | str = "auto",
        device: str = "auto",
        *,
        reader: str = "rapid",
        threads: int = 0,
        on_progress: OnProgress | None = None,
    ) -> None:
        """`threads` 0 means one a core; `on_progress` hears of downloads.

        `reader` names the OCR. Raises `BadInput` for an unknown profile, device or reader, `BadWeights` if damaged,
        `PartUnavailable` if unreachable.
        """
        self.profile = profile if isinstance(profile, Profile) else registry.choose(profile)
        self._parts = assemble(self.profile, device, threads=threads, on_progress=on_progress)
        self._lenses = Lenses(self._parts.encoder, threads=threads)
        self._gate = Gate()
        self.reader: Reader = engines.reader(reader, device if self.profile.name == "clip" else "auto", on_progress)
        self._info = self._parts.info

    @property
    def info(self) -> ProfileInfo:
        """What runs, and where: a model that had to leave the GPU counts as on the CPU."""
        parts: Parts | None = getattr(self, "_parts", None)
        left = parts is not None and parts.left_the_gpu()
        return replace(self._info, device="cpu", dtype="float32") if left else self._info

    def close(self) -> None:
        """Put the models away, once nobody is using them; whoever asks afterwards gets `PartUnavailable`."""
        self._gate.close()
        del self._parts, self._lenses
        self.reader = engines.reader()  # whose networks are not loaded
        give_back_memory()

    def analyze(
        self, meme: Meme, *, explain: bool = True, lenses: Collection[str] = (), on_stage: OnStage | None = None
    ) -> Analysis:
        """Everything about one meme; with `explain` False no attention, evidence or text, only the answers.

        `on_stage` hears of each stage when it starts and when it has ended. A stage that fails beside the verdict
        becomes a status with a sentence; a failing verdict raises.
        """
        lens_specs.asked(lenses)  # an unknown name is told before anything runs
        with self._gate.entered():
            return self._analyze(meme, explain, lenses, on_stage)

    def _analyze(self, meme: Meme, explain: bool, lenses: Collection[str], on_stage: OnStage | None) -> Analysis:
        stages = _Stages(on_stage)
        parts, text = self._parts, meme.caption.text
        parts.hate.check(meme)
        image = words = None
        if meme.image is not None:
            with stages.stage("picture"):
                image = parts.encoder.encode_images([meme.image])
        if normalize(text).text:  # what the models read of it
            with stages.stage("words"):
                words = parts.encoder.encode_texts([text])
        with stages.stage("verdict"):
            scored = parts.hate.score_tokens(image, words)
        analysis = Analysis(
            profile=self.info,
            image=None
            if meme.image is None
            else ImageInfo(meme.image.width, meme.image.height, meme.format, meme.sha256),
            caption=meme.caption,
            verdict=parts.hate.verdict(scored.hate[0]),
            harm=None if scored.harm is None else parts.hate.harm(scored.harm[0]),
            emotions=Emotions(
                stages.part("text emotions", TextEmotions, lambda: self._read_emotions(text, words)),
                stages.part("faces", FaceEmotions, lambda: self._read_faces(meme)),
            ),
            attention=Attention("off"),
            evidence=Evidence("off"),
            explanation=Explanation(),
            lenses=self._read_lenses(lenses, image, words, stages) if lenses else dict[str, Lens](),
            stages=(),
        )
        if explain:
            analysis = self._explain(analysis, meme, image, words, scored, stages)
            give_back_memory()  # each thread that analyzes would else keep its own
        return replace(analysis, stages=tuple(stages.ended))

    def score(self, memes: Sequence[Meme]) -> list[Verdict]:
        """Verdicts only, batched."""
        with self._gate.entered():
            return [self._parts.hate.verdict(logit) for scored in self._score(memes) for logit in scored.hate]

    def harm(self, memes: Sequence[Meme]) -> list[Harm]:
        """What HarMeme's annotators would say, batched; `BadInput` where the profile has no such head."""
        found = []
        with self._gate.entered():
            for scored in self._score(memes):
                if scored.harm is None:
                    raise BadInput(f"The {self.info.name} profile was trained for hate alone: ask mini about harm.")
                found += [self._parts.hate.harm(logit) for logit in scored.harm]
        return found

    def judge(self, memes: Sequence[Meme]) -> list[tuple[Verdict, Harm | None]]:
        """What `score` and `harm` say, in one pass; no harm where the profile has no such head."""
        found: list[tuple[Verdict, Harm | None]] = []
        with self._gate.entered():
            hate = self._parts.hate
            for scored in self._score(memes):
                harms: list[Harm | None] = (
                    [None] * len(scored.hate) if scored.harm is None else [hate.harm(logit) for logit in scored.harm]
                )
                found += list(zip(map(hate.verdict, scored.hate), harms, strict=True))
        return found

    def faces(self, meme: Meme) -> FaceEmotions:
        """The faces alone; raises `BadWeights` where their models are missing or damaged."""
        with self._gate.entered():
            return self._read_faces(meme)

    def text_emotions(self, texts: Sequence[str]) -> list[TextEmotions]:
        """The emotions of many texts, batched."""
        found = []
        with self._gate.entered():
            for start in range(0, len(texts), AT_ONCE):
                found += there(self._parts.text_emotions).classify(texts[start : start + AT_ONCE])
        return found

    @property
    def encoder(self) -> Encoder:
        """The towers, for systems that read the same tokens."""
        return self._parts.encoder

    def threshold(self, head: str) -> float:
        """The probability from which `hate` or `harm` is answered yes where there is no third answer."""
        return self._parts.hate.thresholds[head]

    @property
    def bands(self) -> Bands:
        """The two thresholds of the verdict."""
        return self._parts.hate.bands

    def _score(self, memes: Sequence[Meme]) -> Iterator[Scored]:
        for start in range(0, len(memes), AT_ONCE):
            some = memes[start : start + AT_ONCE]
            for meme in some:
                self._parts.hate.check(meme)
            yield self._parts.hate.score([meme.image for meme in some], [meme.caption.text for meme in some])

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

    def _read_emotions(self, text: str, words: Tokens | None) -> TextEmotions:
        return TextEmotions("no_text") if words is None else there(self._parts.text_emotions).classify([text])[0]

    def _read_faces(self, meme: Meme) -> FaceEmotions:
        return FaceEmotions("no_image") if meme.image is None else there(self._parts.faces).read(meme.image)

    def _explain(
        self,
        analysis: Analysis,
        meme: Meme,
        image: Tokens | None,
        words: Tokens | None,
        scored: Scored,
        stages: _Stages,
    ) -> Analysis:
        text = meme.caption.text
        spans = words.spans[0] if words is not None else ()
        drawn = stages.part(
            "attention", Attention, lambda: attention.draw(scored.fused, text, spans, has_image=image is not None)
        )
        base = float(scored.hate[0])
        measured = stages.part("evidence", Evidence, lambda: self._measure(meme, image, words, base))
        analysis = replace(analysis, attention=drawn, evidence=measured)
        written = stages.part("explanation", Explanation, lambda: narrative.write(analysis))
        cautions = self._parts.hate.cautions
        if self._parts.left_the_gpu():
            cautions = (LEFT_THE_GPU, *cautions)
        if words is not None and any(words.cut):
            cautions = ("The caption is long: the model read its first part only.", *cautions)
        return replace(analysis, explanation=replace(written, cautions=(*cautions, *written.cautions)))

    def _measure(self, meme: Meme, image: Tokens | None, words: Tokens | None, base: float) -> Evidence:
        found = evidence.measure(self._parts.hate, meme, image, words, base=base)
        return found if self._parts.gradient is None else replace(found, gradient=self._parts.gradient(meme))


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
