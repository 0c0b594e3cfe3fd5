"""What the queue's threads do: bytes and words to a meme, memes to answers, by the code that the page and the command
line use too, so that all of them give the same numbers."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

from models.analysis import Analysis, Caption, Meme, Stage, Status
from models.analyzer import Analyzer
from models.errors import PartUnavailable
from models.io import captions
from models.io.images import IN_FLIGHT, area_of, open_picture
from models.io.language import with_language
from models.runtime.turns import REQUEST_S, patient
from serving import predictors

ANALYZE, SCORE = "analyze", "score"
BYTES_PER_PIXEL = 4
TOGETHER = IN_FLIGHT.units // 5  # pixels of one batch: three workers and the batch page leave room for the pages
T = TypeVar("T")


@cache
def load_analyzer(profile: str = "auto", threads: int = 0) -> Analyzer:
    """The analyzer of this process, where no app shares its own."""
    return Analyzer(profile, threads=threads)


@dataclass(frozen=True)
class MemeInput:
    """A meme as it was sent. caption: None lets the OCR read the picture, "" means that there are no words.

    explain and lenses matter to an analysis alone; ocr: False does not read a picture that has no caption.
    """

    data: bytes | None = field(default=None, repr=False)
    caption: str | None = field(default=None, repr=False)
    explain: bool = True
    lenses: tuple[str, ...] = ()
    ocr: bool = True

    @property
    def needs_ocr(self) -> bool:
        """Whether the OCR has to read the picture, which takes by far the longest."""
        return self.ocr and self.caption is None and self.data is not None


def load_meme(item: MemeInput, analyzer: Analyzer) -> tuple[Meme, tuple[Stage, ...]]:
    """The meme and the stages that loading it took. Raises `BadInput` with a sentence if it cannot be used.

    Where the OCR cannot run, the meme is judged without words, and the stage's status is `failed`.
    """
    start = time.perf_counter()
    picture = open_picture(item.data) if item.data is not None else None
    stages = [Stage("decode", round((time.perf_counter() - start) * 1000, 1))]
    caption = captions.from_override(item.caption) if item.caption is not None else Caption()
    if picture is None:
        return Meme(None, with_language(caption)), ()
    if item.needs_ocr:
        status: Status = "ok"
        start = time.perf_counter()
        try:
            caption = captions.read(picture.image, None, analyzer.reader)
        except PartUnavailable:
            status = "failed"
        stages.append(Stage("ocr", round((time.perf_counter() - start) * 1000, 1), status))
    return picture.meme(with_language(caption)), tuple(stages)


def analyze(item: MemeInput, analyzer: Analyzer) -> Analysis:
    """Everything about one meme."""
    meme, stages = load_meme(item, analyzer)
    analysis = analyzer.analyze(meme, explain=item.explain, lenses=item.lenses)
    return replace(analysis, stages=(*stages, *analysis.stages))


def run(name: str, items: Sequence[MemeInput], analyzer: Analyzer) -> list[Any]:
    """One answer or exception for each of the first items, in order: what a worker of the queue runs.

    As many as `TOGETHER` lets be open at a time, so that nobody waits for the large pictures of a whole batch.

    name: of the work: `analyze` (an `Analysis`), `score` (the caption with verdict and harm) or that of a predictor (the caption
    with its `Prediction`). No answer holds a picture: it would stay open until all of a request are answered.
    """
    part, pixels = next(in_parts(items, pixels_of, len(items)))
    with patient(REQUEST_S), IN_FLIGHT.take(pixels):
        return _run(name, part, analyzer)


def _run(name: str, items: Sequence[MemeInput], analyzer: Analyzer) -> list[Any]:
    if name == ANALYZE:
        return [try_call(analyze, item, analyzer) for item in items]
    memes = [try_call(lambda item: load_meme(item, analyzer)[0], item) for item in items]
    predict: Callable[[Sequence[Meme]], Sequence[Any]] = analyzer.judge
    if name != SCORE:
        predict = predictors.choose(predictors.registry(analyzer), name).predict
    return answer_each(memes, lambda usable: [(m.caption, p) for m, p in zip(usable, predict(usable), strict=True)])


def pixels_of(item: MemeInput) -> int:
    """Pixels that the picture will have when it is open, with its file counted as pixels too: the memory that it takes."""
    return 0 if item.data is None else area_of(item.data) + len(item.data) // BYTES_PER_PIXEL


def in_parts(items: Iterable[T], pixels_of: Callable[[T], int], longest: int) -> Iterator[tuple[list[T], int]]:
    """The items in order in parts, and the pixels of each: at most `longest` items with `TOGETHER` pixels, or a single one.

    An iterator is read as far as the part that is asked for and one item beyond.
    """
    part, pixels = list[T](), 0
    for item in items:
        more = pixels_of(item)
        if part and (len(part) == longest or pixels + more > TOGETHER):
            yield part, pixels
            part, pixels = [], 0
        part.append(item)
        pixels += more
    if part:
        yield part, pixels


def answer_each(
    memes: Sequence[Meme | Exception], answer: Callable[[Sequence[Meme]], Sequence[T]]
) -> list[T | Exception]:
    """`answer` over all memes in one batch; an exception in place of a meme is passed on as its answer.

    If the batch fails, its memes are tried one by one, so that only the culprit gets the failure.
    """
    usable = [meme for meme in memes if isinstance(meme, Meme)]
    try:
        answers: Sequence[T | Exception] = answer(usable) if usable else ()
    except Exception:
        answers = [try_call(lambda meme: answer([meme])[0], meme) for meme in usable]
    remaining = iter(answers)
    return [meme if isinstance(meme, Exception) else next(remaining) for meme in memes]


def try_call(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result, or the exception that it raised."""
    try:
        return function(*arguments)
    except Exception as error:
        return error
