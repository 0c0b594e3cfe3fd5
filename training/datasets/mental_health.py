"""AxiOM and RESTORE (Mazhar et al. 2025; Yadav et al. 2023): memes with categories of anxiety or depression, as written.

The layout: a JSON or csv table with an image id, OCR text and categories, and pictures.

    DATA/axiom/train.json, DATA/axiom/val.json, DATA/axiom/images/TR-12.jpg     (RESTORE: DATA/restore/...)

Columns as published: `sample_id` and/or `image_id`, `ocr_text`, and `meme_anxiety_category` (one) or
`meme_depressive_categories` (a list; in a csv separated by commas or as a list in brackets).
"""

import ast
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from models.errors import BadInput
from training.datasets.base import Dataset, Label, LoadResult, Row
from training.datasets.tables import find_column, first_folder, group_of, picture_or_none, read_rows, read_table

FILES = {
    "train": ("train", "anxiety_train", "depressive_train"),
    "validation": ("validation", "val", "anxiety_val", "depressive_val"),
    "test": ("test", "anxiety_test", "depressive_test"),
}
ENDINGS = (".json", ".jsonl", ".csv")


def _dataset(name: str, category_columns: Sequence[str], parse: Callable[[Any], Label]) -> Dataset:
    """A data set in this layout; `parse` makes a label of a value in the first of the `category_columns` that is there."""
    read_file = partial(_read_file, name, category_columns, parse)
    return Dataset(name, official_split=partial(_read_split, name, read_file), official_file=read_file, on_request=True)


def _read_split(name: str, read_file: Callable[[Path], LoadResult], root: Path, split: str) -> LoadResult:
    """Rows of a split; none of a validation split that is not there. `BadInput` where another split is missing."""
    folder = root / name
    tables = [folder / f"{stem}{ending}" for stem in FILES[split] for ending in ENDINGS]
    path = next((path for path in tables if path.is_file()), None)
    if path is not None:
        return read_file(path)
    if split == "validation":
        return [], []
    raise BadInput(
        f"{folder} has no {name} rows: its owners give them out on request; put {tables[0].name} (or .csv) and "
        "images/ there."
    )


def _read_file(name: str, category_columns: Sequence[str], parse: Callable[[Any], Label], path: Path) -> LoadResult:
    """Rows of one table of any name, with pictures from `SPLIT_images/` or `images/` beside it."""
    table = read_table(path)
    split = next((split for split, stems in FILES.items() if path.stem in stems), path.stem)
    images = first_folder(path.parent / f"{split}_images", path.parent / "images")
    image_column = find_column(table, ("image_id", "sample_id", "id"), path)
    id_column = "sample_id" if any("sample_id" in record for record in table) else image_column
    text_column = find_column(table, ("ocr_text", "text"), path)
    category_column = find_column(table, category_columns, path)

    def parse_row(record: dict[str, Any], position: str, problems: list[str]) -> Row:
        text = str(record.get(text_column) or "").strip() or None
        label = parse(record.get(category_column))
        image = picture_or_none(images, str(record.get(image_column) or ""), text, position, problems)
        return Row(name, str(record.get(id_column)), text, image, label, group_of(text, image))

    return read_rows(table, path, parse_row)


def _single_category(value: Any) -> Label:
    """A single category; `BadInput` where there is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{value!r} is no category")
    return value.strip()


def _category_list(value: Any) -> Label:
    """A list of categories, or its text in a csv; an empty list is a valid label."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError) as error:
            raise BadInput(f"{value.strip()!r} is no list of categories") from error
    elif isinstance(value, str):
        value = [name for name in value.split(",") if name.strip()]
    if not isinstance(value, list):
        raise BadInput(f"{value!r} is no list of categories")
    return tuple(str(name).strip() for name in value)


AXIOM = _dataset("axiom", ("meme_anxiety_category", "meme_anxiety_categories", "category"), _single_category)
RESTORE = _dataset(
    "restore", ("meme_depressive_categories", "meme_depressive_category", "categories", "category"), _category_list
)
