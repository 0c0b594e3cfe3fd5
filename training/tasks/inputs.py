"""Rows as the app would receive them: pictures opened, captions given or read by OCR, in batches."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from PIL import Image
from tqdm import tqdm

from models.analysis import Caption, Meme
from models.errors import BadPicture
from models.io import captions
from models.io.captions import Reader
from models.io.images import open_picture
from training.datasets.base import Row
from training.tasks.base import EvalOptions

BATCH_SIZE = 32
EMPTY_MEME = cast(Meme, SimpleNamespace(image=None, caption=Caption()))
"""Has the two fields of a `Meme` that scoring reads. A `Meme` refuses to be empty; a row may be."""
Item = TypeVar("Item")


def open_image(row: Row, problems: list[str]) -> Image.Image | None:
    """The row's picture; None where it has none, or where it cannot be opened, with a sentence in `problems`."""
    if row.image is None:
        return None
    try:
        return open_picture(row.image).image
    except BadPicture as error:
        problems.append(f"Row {row.id}: {error}")
        return None


def image_and_text(
    row: Row, options: EvalOptions, reader: Reader | None, problems: list[str]
) -> tuple[Image.Image | None, str]:
    """What the options show of a row; `reader` reads the text where captions are to be read by OCR."""
    image = open_image(row, problems)
    if options.modality == "image":
        text = ""
    elif options.captions == "ocr":
        text = captions.read(image, None, reader).text
    else:
        text = (row.text or "")[: captions.MAX_CHARACTERS]
    return None if options.modality == "text" else image, text


def memes(rows: Sequence[Row], options: EvalOptions, reader: Reader, notes: Counter[str]) -> Iterator[Meme | None]:
    """The rows as memes, None where nothing is left; pictures are decoded one at a time. Counts both in `notes`."""
    for row in rows:
        problems: list[str] = []
        image, text = image_and_text(row, options, reader, problems)
        notes["unreadable_pictures"] += len(problems)
        caption = captions.read(image, text, None)
        if image is None and not caption.text.strip():
            notes["without_input"] += 1
            yield None
        else:
            yield Meme(image, caption)


def images(rows: Sequence[Row], notes: Counter[str]) -> Iterator[tuple[int, Image.Image]]:
    """Row numbers and pictures of the rows whose picture can be opened. Counts the others in `notes`."""
    for number, row in enumerate(rows):
        problems: list[str] = []
        image = open_image(row, problems)
        notes["unreadable_pictures"] += len(problems)
        notes["without_picture"] += row.image is None
        if image is not None:
            yield number, image


def score_memes(items: Iterator[Meme | None], score: Callable[[Sequence[Meme]], list[Any]], count: int) -> list[Any]:
    """One prediction for each row; rows with nothing share the prediction for an empty meme."""
    empty: list[Any] = []

    def predict(batch: Sequence[Meme | None]) -> list[Any]:
        scored = iter(score([meme for meme in batch if meme is not None]))
        if None in batch and not empty:
            empty.extend(score([EMPTY_MEME]))
        return [empty[0] if meme is None else next(scored) for meme in batch]

    return batched(items, predict, count)


def batched(
    items: Iterator[Item], predict: Callable[[Sequence[Item]], Any], count: int, size: int = BATCH_SIZE
) -> list[Any]:
    """The predictions of all items, `size` at a time, with a progress bar of `count` on a terminal."""
    predictions: list[Any] = []
    with tqdm(total=count, disable=None, unit="row") as bar:
        while batch := list(islice(items, size)):
            predictions += list(predict(batch))
            bar.update(len(batch))
    return predictions
