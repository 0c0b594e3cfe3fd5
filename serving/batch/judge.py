"""Items to rows: batches of memes through the models; a meme that cannot be used is a row with its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from models.analysis import Meme
from models.errors import BadInput
from models.io import flat_row
from models.io.flat_row import Row
from models.runtime.memory import give_back_memory
from serving import predictors, problems
from serving.batch.items import Item
from serving.work import answer_each, load_meme, try_call

if TYPE_CHECKING:
    from models.analyzer import Analyzer

BATCH_SIZE = 32
DECODE_THREADS = 2  # decode pictures while the networks run


@dataclass(frozen=True)
class Options:
    """ocr: read pictures that come without a caption; predictors: names of further categories, a column each."""

    ocr: bool = True
    predictors: tuple[str, ...] = ()


def judge(items: Iterable[Item], analyzer: Analyzer, options: Options) -> Iterator[tuple[Row, Meme | None]]:
    """One row for each item, in order, and its meme. Raises `NoSystem` for an unknown predictor."""
    chosen = [predictors.choose(predictors.registry(analyzer), name) for name in options.predictors]

    def load(item: Item) -> Meme:
        if item.error:
            raise BadInput(item.error)
        return load_meme(item.meme if options.ocr else replace(item.meme, ocr=False), analyzer)[0]

    def rows(memes: Sequence[Meme]) -> list[Row]:
        categories = {
            predictor.name: [prediction.category for prediction in predictor.predict(memes)] for predictor in chosen
        }
        return [
            flat_row.good("", meme, verdict, harm, {name: column[index] for name, column in categories.items()})
            for index, (meme, (verdict, harm)) in enumerate(zip(memes, analyzer.judge(memes), strict=True))
        ]

    source = iter(items)
    with ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="subtext-open") as pool:
        while batch := list(islice(source, BATCH_SIZE)):
            memes = list(pool.map(lambda item: try_call(load, item), batch))
            for item, meme, row in zip(batch, memes, answer_each(memes, rows), strict=True):
                usable = meme if isinstance(meme, Meme) else None
                if isinstance(row, Exception):
                    yield Row(item.name, "error", error=problems.sentence(row)), usable
                else:
                    yield replace(row, id=item.name), usable
            give_back_memory()
