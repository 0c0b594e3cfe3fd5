"""Memotion 7k (Sharma et al. 2020, SemEval task 8): Parquet splits at 128x128, or its own layout as on Kaggle.

Its own layout is `memotion_dataset_7k/labels.csv` (image_name, text_ocr, text_corrected, humour, sarcasm, offensive,
motivational, overall_sentiment) beside `images/`; it has no validation rows. Pictures of the Parquet splits are too small
for OCR: their words are in `text`. The label is the overall sentiment; `details` hold all five aspects.
"""

import hashlib
from pathlib import Path
from typing import Any

from models.tokenizers.words import cleaned
from training.datasets.base import Dataset, LoadResult, Row, usable_rows
from training.datasets.tables import find_column, first_folder, group_of, read_picture, read_rows, read_table

ASPECTS = ("humour", "sarcasm", "offensive", "motivational", "overall_sentiment")


def _read_split(root: Path, split: str) -> LoadResult | None:
    folder = first_folder(root / "memotion_dataset_7k", root / "memotion")
    if not folder.is_dir():
        return None
    return read_official(folder / "labels.csv") if split == "train" else ([], [])


def read_official(path: Path) -> LoadResult:
    """Rows of a table like `labels.csv`, with pictures in `images/` beside it.

    A missing column is an error; a row whose picture is missing is left out with a sentence.
    """
    table = read_table(path, *ASPECTS)
    image_column = find_column(table, ("image_name", "Image_name"), path)
    text_columns = (
        find_column(table, ("text_corrected", "corrected_text"), path),
        find_column(table, ("text_ocr", "OCR_extracted_text"), path),
    )

    def parse_row(record: dict[str, Any], position: str, problems: list[str]) -> Row:
        text = next((text for name in text_columns if (text := (record[name] or "").strip())), None)
        image = read_picture(path.parent / "images", str(record[image_column] or ""))
        details, label = {aspect: record[aspect] for aspect in ASPECTS}, record["overall_sentiment"] or None
        return Row("memotion", str(record[image_column]), text, image, label, group_of(text, image), details)

    return read_rows(table, path, parse_row, unit="line", start=2)  # lines as a text editor counts them


class MemotionPolarity(Dataset):
    """Memotion as the ResNet50 + BERT model takes it: rows with words and a picture, each once.

    The text side itself lower-cases words and removes special characters (`clean` in the configuration), as the app does.
    """

    def load(self, split: str, folder: str | Path | None = None) -> LoadResult:
        """Rows without copies, and a sentence for each row whose picture cannot be read."""
        rows, problems = MEMOTION.load(split, folder)
        unique: dict[str, Row] = {}
        for row in rows:
            if row.image and row.text and cleaned(row.text):
                unique.setdefault(hashlib.sha256(cleaned(row.text).encode() + row.image).hexdigest(), row)
        usable, unreadable = usable_rows(unique.values())
        return [row for row in usable if row.image is not None], problems + unreadable


MEMOTION = Dataset(
    "memotion", ("image", "text", *ASPECTS), "overall_sentiment", "image_name", ASPECTS, _read_split, read_official
)
MEMOTION_POLARITY = MemotionPolarity("memotion_polarity")
