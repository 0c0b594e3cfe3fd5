"""Items to rows: the memes of a few items at once through the models; a bad one is a row with its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from models.analysis import Meme
from models.io import flat_row
from models.io.flat_row import Row
from models.runtime.memory import give_back_memory
from serving import problems, systems
from serving.batch.items import Item
from serving.work import opened

if TYPE_CHECKING:
    from models.analyzer import Analyzer

AT_ONCE = 32
OPENERS = 2  # threads that decode pictures while the networks run


@dataclass(frozen=True)
class Options:
    """read: the OCR reads pictures that come without a caption; systems: further categories, a column each."""

    read: bool = True
    systems: tuple[str, ...] = ()


def judged(items: Iterable[Item], analyzer: Analyzer, options: Options) -> Iterator[tuple[Row, Meme | None]]:
    """One row for each item, in order, and the meme that it is about."""
    further = [systems.choose(systems.registry(analyzer), name) for name in options.systems]
    source = iter(items)
    with ThreadPoolExecutor(OPENERS, thread_name_prefix="subtext-open") as pool:
        while some := list(islice(source, AT_ONCE)):
            memes = list(pool.map(lambda item: _opened(item, analyzer, options), some))
            yield from _rows(some, memes, analyzer, further)
            give_back_memory()


def _opened(item: Item, analyzer: Analyzer, options: Options) -> Meme | str:
    """The meme, or the sentence that says why there is none."""
    if item.error:
        return item.error
    try:
        return opened(item.asked if options.read else replace(item.asked, read=False), analyzer)[0]
    except Exception as error:
        return problems.sentence(error)


def _rows(
    items: Sequence[Item], memes: Sequence[Meme | str], analyzer: Analyzer, further: Sequence[systems.System]
) -> Iterator[tuple[Row, Meme | None]]:
    here = [meme for meme in memes if isinstance(meme, Meme)]
    try:
        answers: Sequence[Row] = _judged("", here, analyzer, further)
    except Exception:  # one of them: each alone, so that only the culprit gets the failure
        answers = [_alone(meme, analyzer, further) for meme in here]
    found = iter(answers)
    for item, meme in zip(items, memes, strict=True):
        if isinstance(meme, Meme):
            yield replace(next(found), id=item.name), meme
        else:
            yield flat_row.bad(item.name, meme), None


def _judged(name: str, memes: Sequence[Meme], analyzer: Analyzer, further: Sequence[systems.System]) -> list[Row]:
    if not memes:
        return []
    categories = {system.name: [one.category for one in system.predict(memes)] for system in further}
    return [
        flat_row.good(name, meme, verdict, harm, {system: found[place] for system, found in categories.items()})
        for place, (meme, (verdict, harm)) in enumerate(zip(memes, analyzer.judge(memes), strict=True))
    ]


def _alone(meme: Meme, analyzer: Analyzer, further: Sequence[systems.System]) -> Row:
    try:
        return _judged("", [meme], analyzer, further)[0]
    except Exception as error:
        return flat_row.bad("", problems.sentence(error))
