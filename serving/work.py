"""What the queue's threads do: bytes and words to a meme, memes to answers. The same way as the page's and the
command line's, so that all of them give the same numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from models.analysis import Analysis, Caption, Harm, Meme, Stage, Status, Verdict
from models.errors import PartUnavailable
from models.io import captions
from models.io.images import open_picture
from serving import systems

if TYPE_CHECKING:
    from models.analyzer import Analyzer

ANALYZE, SCORE = "analyze", "score"


@dataclass(frozen=True)
class Asked:
    """A meme as it was sent. caption: None lets the OCR read the picture, "" means that there are no words.

    explain and lenses matter to an analysis alone; `read` False keeps the OCR off where there is no caption.
    """

    data: bytes | None = field(default=None, repr=False)
    caption: str | None = field(default=None, repr=False)
    explain: bool = True
    lenses: tuple[str, ...] = ()
    read: bool = True

    @property
    def by_ocr(self) -> bool:
        """Whether the OCR has to read the picture: by far the longest part."""
        return self.read and self.caption is None and self.data is not None


@dataclass(frozen=True)
class Scored:
    """A meme's short answer; `caption` tells which words it rests on. A profile may know nothing of harm."""

    verdict: Verdict
    harm: Harm | None
    caption: Caption


def opened(asked: Asked, analyzer: Analyzer) -> tuple[Meme, tuple[Stage, ...]]:
    """The meme and the stages that it took; raises `BadInput` with a sentence where it cannot be used.

    Where the OCR cannot run, the meme is judged without words, and its stage says `failed`.
    """
    stages: list[Stage] = []
    start = time.perf_counter()
    picture = open_picture(asked.data) if asked.data is not None else None
    if picture is not None:
        stages.append(Stage("decode", round((time.perf_counter() - start) * 1000, 1)))
    caption = captions.from_override(asked.caption) if asked.caption is not None else Caption()
    if picture is not None and asked.by_ocr:
        status: Status = "ok"
        start = time.perf_counter()
        try:
            caption = captions.read(picture.image, None, analyzer.reader)
        except PartUnavailable:
            status = "failed"
        stages.append(Stage("ocr", round((time.perf_counter() - start) * 1000, 1), status))
    if picture is None:
        return Meme(None, caption), tuple(stages)
    return Meme(picture.image, caption, picture.format, picture.sha256), tuple(stages)


def analyzed(asked: Asked, analyzer: Analyzer) -> Analysis:
    """Everything about one meme."""
    meme, stages = opened(asked, analyzer)
    found = analyzer.analyze(meme, explain=asked.explain, lenses=asked.lenses)
    return replace(found, stages=(*stages, *found.stages))


def scored(asked: Sequence[Asked], analyzer: Analyzer) -> list[Scored | Exception]:
    """The short answers of many; a meme that cannot be used takes none of the others with it."""

    def judge(memes: Sequence[Meme]) -> list[Scored]:
        found = zip(memes, analyzer.judge(memes), strict=True)
        return [Scored(verdict, harm, meme.caption) for meme, (verdict, harm) in found]

    return each(asked, analyzer, judge)


def each(asked: Sequence[Asked], analyzer: Analyzer, batched: Callable[[Sequence[Meme]], Sequence[Any]]) -> list[Any]:
    """`batched` over the memes that can be opened, the exception of each that cannot; one answer each, in order.

    Where a whole batch fails, its memes are tried one by one, so that only the culprit gets the failure.
    """
    answers: list[Any] = [None] * len(asked)
    memes: dict[int, Meme] = {}
    for place, one in enumerate(asked):
        try:
            memes[place] = opened(one, analyzer)[0]
        except Exception as error:
            answers[place] = error
    if not memes:
        return answers
    try:
        together: Sequence[Any] = batched(list(memes.values()))
    except Exception:
        together = [alone(meme, batched) for meme in memes.values()]
    for place, answer in zip(memes, together, strict=True):
        answers[place] = answer
    return answers


def alone(meme: Meme, batched: Callable[[Sequence[Meme]], Sequence[Any]]) -> Any:
    """The answer for one meme, or its exception."""
    try:
        return batched([meme])[0]
    except Exception as error:
        return error


def work(kind: Hashable, asked: Sequence[Any], analyzer: Analyzer) -> Sequence[Any]:
    """What a worker of the queue runs. A kind is a question (`analyze`, `score` or the name of a system), and whether
    the OCR is needed for it."""
    name = kind[0] if isinstance(kind, tuple) else kind
    if name == ANALYZE:
        answers: list[Any] = []
        for one in asked:
            try:
                answers.append(analyzed(one, analyzer))
            except Exception as error:
                answers.append(error)
        return answers
    if name == SCORE:
        return scored(asked, analyzer)
    system = systems.choose(systems.registry(analyzer), str(name))
    return each(asked, analyzer, lambda memes: list(zip(memes, system.predict(memes), strict=True)))
