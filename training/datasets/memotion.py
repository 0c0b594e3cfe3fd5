"""Memotion 7k (Sharma et al. 2020, SemEval task 8): Parquet parts at 128x128, or its own layout as on Kaggle.

Its own layout is `memotion_dataset_7k/labels.csv` (image_name, text_ocr, text_corrected, humour, sarcasm, offensive,
motivational, overall_sentiment) beside `images/`; it has no validation rows. Pictures of the Parquet parts are too small
to be read: their words are in `text`.
"""

from __future__ import annotations

from pathlib import Path

from models.errors import BadInput
from training.datasets.base import Row
from training.datasets.folder import data_folder
from training.datasets.parquet import read_part
from training.datasets.tables import column, first_folder, group_of, picture, read_table

ASPECTS = ("humour", "sarcasm", "offensive", "motivational", "overall_sentiment")
FOLDERS = ("memotion_dataset_7k", "memotion")


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: the overall sentiment; `details`: all five aspects as their annotators graded them."""
    needed = ("image", "text", *ASPECTS)
    return read_part(
        "memotion", part, folder, label="overall_sentiment", identity="image_name", details=ASPECTS, needed=needed
    )


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """The Parquet part if it is there, else Memotion's own layout; and a sentence for each row that was left out."""
    root = data_folder(folder)
    own = first_folder(root, FOLDERS)
    if (root / "memotion.train.parquet").is_file() or not own.is_dir():
        return read(part, folder), []
    return ([], []) if part != "train" else of_file(own / "labels.csv")


def of_file(path: Path) -> tuple[list[Row], list[str]]:
    """Rows of a table like `labels.csv`, with the pictures in `images/` beside it."""
    return read_csv(path, path.parent / "images")


def read_csv(path: Path, images: Path) -> tuple[list[Row], list[str]]:
    """Rows of `labels.csv`. A column that is missing is an error, a picture that is missing a sentence."""
    table = read_table(path)
    name = column(table, ("image_name", "Image_name"), path)
    words = column(table, ("text_corrected", "corrected_text"), path)
    read_words = column(table, ("text_ocr", "OCR_extracted_text"), path)
    aspects = {aspect: column(table, (aspect,), path) for aspect in ASPECTS}
    rows: list[Row] = []
    problems: list[str] = []
    for number, line in enumerate(table, start=2):  # as an editor counts them
        text = (line[words] or "").strip() or (line[read_words] or "").strip() or None
        try:
            image = picture(images, str(line[name] or ""))
        except BadInput as error:
            problems.append(f"{path.name}, line {number}: {error}; the row is left out.")
            continue
        details = {aspect: line[key] for aspect, key in aspects.items()}
        rows.append(
            Row("memotion", str(line[name]), text, image, line[aspects["overall_sentiment"]] or None,
                group_of(text, image), details)
        )  # fmt: skip
    return rows, problems
