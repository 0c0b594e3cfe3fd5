"""The object that a page, the API, the batch and the command line hold: a meme in, an analysis out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from models.analysis import (
    Analysis,
    Attention,
    Bands,
    Caption,
    Emotions,
    Evidence,
    Explanation,
    FaceEmotions,
    Harm,
    ImageInfo,
    Label,
    Lens,
    Meme,
    ProfileInfo,
    Stage,
    Status,
    TextEmotions,
    Verdict,
)
from models.classifiers.hate import Scored
from models.encoders.base import Encoder, Tokens, encode_rows
from models.errors import BadInput, SubtextError, require
from models.explain import attention, evidence, narrative
from models.io.captions import ILLEGIBLE, Normalized, PartlyRead, Reader, normalize
from models.io.language import detect, with_language
from models.io.readings import readings
from models.lenses import Lenses, select_lenses
from models.ocr import registry as engines
from models.profiles import registry
from models.profiles.bundle import ModelBundle, load_bundle
from models.profiles.registry import Profile
from models.runtime.memory import UsageLock, give_back_memory
from models.scaling import to_size
from models.spans import attention_to_caption, evidence_to_caption

if TYPE_CHECKING:
    from models.io.downloads import OnProgress

OnStage = Callable[[Stage], None]
Result = TypeVar("Result")
CPU_FALLBACK = "The GPU's memory was full, so this was computed on the CPU: it is as right, but it took longer."
TRUNCATED = "The caption is long: the model read its first part only."
LEFT_OUT = "The picture holds more text than is read at once: {} of its lines, the smallest, were left out."
BATCH_SIZE = 32  # memes that go through the models at a time


class Analyzer:
    """Thread-safe, and keeps nothing of a meme.

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
        """`threads` 0 means one per core; `on_progress` is called during downloads; `reader` names the OCR engine.

        Raises `BadInput` for an unknown profile, device or reader, `BadWeights` for damaged weights, `PartUnavailable`
        where models cannot be downloaded.
        """
        self.profile = profile if isinstance(profile, Profile) else registry.select(profile).profile
        self._models = load_bundle(self.profile, device, threads=threads, on_progress=on_progress)
        self._lenses = Lenses(self._models.hate.encoder, threads=threads)
        self._lock = UsageLock()
        self.reader: Reader = engines.reader(reader, device if self.profile.name == "clip" else "auto", on_progress)
        self._info = self._models.info

    @property
    def info(self) -> ProfileInfo:
        """What runs, and where: a model that had to leave the GPU counts as on the CPU."""
        models: ModelBundle | None = getattr(self, "_models", None)
        fallback = models is not None and models.uses_cpu_fallback()
        return replace(self._info, device="cpu", dtype="float32") if fallback else self._info

    def close(self) -> None:
        """Frees the models once nobody uses them; later calls raise `PartUnavailable`."""
        self._lock.close()
        del self._models, self._lenses
        self.reader = engines.reader()  # a fresh reader has not loaded its networks
        give_back_memory()

    def analyze(
        self, meme: Meme, *, explain: bool = True, lenses: Collection[str] = (), on_stage: OnStage | None = None
    ) -> Analysis:
        """Everything about one meme; with `explain` False only the answers: no attention, evidence or explanation.

        `on_stage` is called when a stage starts and when it has ended. A stage that fails beside the verdict becomes a
        status with a sentence; a failing verdict raises.
        """
        select_lenses(lenses)  # refuses an unknown name before anything runs
        with self._lock.use():
            return self._analyze(meme, explain, lenses, _Stages(on_stage))

    def _analyze(self, meme: Meme, explain: bool, lenses: Collection[str], stages: _Stages) -> Analysis:
        models, caption, encoder = self._models, meme.caption, self.encoder
        models.hate.check(meme)
        image_tokens: Tokens | None = None
        tokens: list[Tokens | None] = [None]
        if (image := meme.image) is not None:
            image_tokens = stages.run("picture", lambda: encoder.encode_images([image]))
        spoken, language = readings(caption.text), detect(caption.text)
        if spoken[0].text:
            tokens = stages.run("words", lambda: [encoder.encode_texts([said.text]) for said in spoken])
        scores = stages.run("verdict", lambda: [models.hate.score_tokens(image_tokens, text) for text in tokens])
        number, verdict = models.hate.decide(spoken, [float(scored.hate[0]) for scored in scores], language)
        said, text_tokens, scored = spoken[number], tokens[number], scores[number]
        emotions = Emotions(
            stages.run("text emotions", lambda: self._read_emotions(said.text), partial(TextEmotions, "failed")),
            stages.run("faces", lambda: self._read_faces(meme), partial(FaceEmotions, "failed")),
        )
        read_lenses: dict[str, Lens] = {}
        if lenses:  # a lens that fails says so itself; no other failure may take the verdict down either
            read_lenses = stages.run(
                "lenses",
                lambda: self._lenses.read(lenses, image_tokens, text_tokens, [verdict.label], [said.text])[0],
                lambda detail: {name: Lens("failed", detail=detail) for name in lenses},
            )
        analysis = Analysis(
            profile=self.info,
            image=None if image is None else ImageInfo(image.width, image.height, meme.format, meme.sha256),
            caption=with_language(Caption(caption.text, caption.source, caption.lines, caption.uncertain), language),
            verdict=verdict,
            harm=None if scored.harm is None else models.hate.harm(scored.harm[0]),
            emotions=emotions,
            attention=Attention("off"),
            evidence=Evidence("off"),
            explanation=Explanation(cautions=_left_out(caption)),
            lenses=read_lenses,
            stages=(),
        )
        if explain:
            analysis = self._explain(analysis, meme, said, (image_tokens, text_tokens), scored, stages)
            give_back_memory()  # otherwise every thread that analyzes would keep its own
        analysis = replace(analysis, stages=tuple(stages.ended))
        return analysis if meme.size is None else to_size(analysis, *meme.size)

    def judge(self, memes: Sequence[Meme]) -> list[tuple[Verdict, Harm | None]]:
        """Verdict and harm of each meme, batched, without explanation; harm is None where the profile has no such head."""
        judged: list[tuple[Verdict, Harm | None]] = []
        with self._lock.use():
            hate = self._models.hate
            for start in range(0, len(memes), BATCH_SIZE):
                batch = memes[start : start + BATCH_SIZE]
                for meme in batch:
                    hate.check(meme)
                spoken = [readings(meme.caption.text) for meme in batch]
                rows = [
                    (meme.image, said.text) for meme, several in zip(batch, spoken, strict=True) for said in several
                ]
                scored = hate.score(*zip(*rows, strict=True))
                first = 0
                for meme, several in zip(batch, spoken, strict=True):
                    logits = scored.hate[first : first + len(several)]
                    number, verdict = hate.decide(several, logits, detect(meme.caption.text))
                    harm = None if scored.harm is None else hate.harm(scored.harm[first + number])
                    judged.append((verdict, harm))
                    first += len(several)
        return judged

    def score(self, memes: Sequence[Meme]) -> list[Verdict]:
        """Verdicts only, batched."""
        return [verdict for verdict, _ in self.judge(memes)]

    def harm(self, memes: Sequence[Meme]) -> list[Harm]:
        """How HarMeme's annotators would judge, batched; `BadInput` where the profile has no such head."""
        harms = [harm for _, harm in self.judge(memes) if harm is not None]
        if len(harms) < len(memes):
            raise BadInput(f"The {self.info.name} profile was trained for hate alone: ask mini about harm.")
        return harms

    def faces(self, meme: Meme) -> FaceEmotions:
        """The faces alone; raises `BadWeights` where their models are missing or damaged."""
        with self._lock.use():
            return self._read_faces(meme)

    def text_emotions(self, texts: Sequence[str]) -> list[TextEmotions]:
        """The emotions of many texts, batched."""
        emotions: list[TextEmotions] = []
        with self._lock.use():
            for start in range(0, len(texts), BATCH_SIZE):
                emotions += self._classifier().classify(texts[start : start + BATCH_SIZE])
        return emotions

    def read_words(
        self, texts: Sequence[str], lenses: Collection[str], verdicts: Sequence[Label | None]
    ) -> list[dict[str, Lens]]:
        """What lenses read in many texts, batched; `verdicts` are those of the memes that the texts are from (None: unknown).

        Raises `BadInput` for an unknown lens. One that cannot be read says why.
        """
        read: list[dict[str, Lens]] = []
        with self._lock.use():
            for start in range(0, len(texts), BATCH_SIZE):
                batch = texts[start : start + BATCH_SIZE]
                spoken = {row: text for row, text in enumerate(batch) if normalize(text).text}
                tokens = encode_rows(self.encoder.encode_texts, spoken, len(batch))
                read += self._lenses.read(lenses, None, tokens, verdicts[start : start + BATCH_SIZE], batch)
        return read

    @property
    def encoder(self) -> Encoder:
        """The encoder, for multitask models that read the same tokens."""
        return self._models.hate.encoder

    def threshold(self, head: str) -> float:
        """The probability from which `hate` or `harm` counts as yes where there is no third answer."""
        return self._models.hate.thresholds[head]

    @property
    def bands(self) -> Bands:
        """The two thresholds of the verdict."""
        return self._models.hate.bands

    def _read_emotions(self, text: str) -> TextEmotions:
        return self._classifier().classify([text])[0] if text else TextEmotions("no_text")

    def _classifier(self) -> Any:  # of either profile: mypy joins the two to `object`
        return require(self._models.text_emotions)

    def _read_faces(self, meme: Meme) -> FaceEmotions:
        return FaceEmotions("no_image") if meme.image is None else require(self._models.faces).read(meme.image)

    def _explain(
        self,
        analysis: Analysis,
        meme: Meme,
        said: Normalized,
        tokens: tuple[Tokens | None, Tokens | None],
        scored: Scored,
        stages: _Stages,
    ) -> Analysis:
        image, text = tokens
        caption = meme.caption.text
        if said.text:  # from here on the caption is what the models read, until the words are moved back
            meme = replace(meme, caption=replace(meme.caption, text=said.text))
        spans = text.spans[0] if text is not None else ()
        drawn = stages.run(
            "attention",
            lambda: attention.draw(scored.fused, said.text, spans, has_image=image is not None),
            partial(Attention, "failed"),
        )
        base = float(scored.hate[0])
        measured = stages.run("evidence", lambda: self._measure(meme, image, text, base), partial(Evidence, "failed"))
        analysis = replace(
            analysis,
            attention=attention_to_caption(drawn, said, caption),
            evidence=evidence_to_caption(measured, said, caption),
        )
        written = stages.run(
            "explanation", lambda: narrative.write(analysis), lambda detail: Explanation(cautions=(detail,))
        )
        cautions = (
            *analysis.explanation.cautions,
            *((TRUNCATED,) if text is not None and any(text.cut) else ()),
            *((CPU_FALLBACK,) if self._models.uses_cpu_fallback() else ()),
            *self._models.hate.cautions,
            *written.cautions,
        )
        return replace(analysis, explanation=replace(written, cautions=cautions))

    def _measure(self, meme: Meme, image: Tokens | None, text: Tokens | None, base: float) -> Evidence:
        measured = evidence.measure(self._models.hate, meme, image, text, base=base)
        return measured if self._models.gradient is None else replace(measured, gradient=self._models.gradient(meme))


def _left_out(caption: Caption) -> tuple[str, ...]:
    """The sentences that say which lines of the picture were not read, if any."""
    if not isinstance(caption, PartlyRead):
        return ()
    return (
        *((LEFT_OUT.format(f"{caption.left_out:,}"),) if caption.left_out else ()),
        *((ILLEGIBLE,) if caption.illegible else ()),
    )


class _Stages:
    """Times the stages, reports them, and turns the failure of an optional one into its status."""

    def __init__(self, on_stage: OnStage | None) -> None:
        self._report = on_stage or (lambda _: None)
        self.ended: list[Stage] = []

    def run(self, name: str, compute: Callable[[], Result], failed: Callable[..., Result] | None = None) -> Result:
        """The result of `compute`. If it fails: `failed(detail=sentence)` for an optional stage, the exception for others."""
        self._report(Stage(name))
        started = time.perf_counter()
        status: Status = "failed"
        try:
            result = compute()
            status = getattr(result, "status", "ok")  # tokens and an explanation have none
        except Exception as error:
            if failed is None:
                raise
            unforeseen = f"This part failed ({type(error).__name__}); the verdict does not depend on it."
            result = failed(detail=str(error) if isinstance(error, SubtextError) else unforeseen)
        finally:
            stage = Stage(name, round((time.perf_counter() - started) * 1000, 1), status)
            self.ended.append(stage)
            self._report(stage)
        return result
