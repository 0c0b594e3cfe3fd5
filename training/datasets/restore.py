"""RESTORE (Yadav et al. 2023): memes with any number of depression categories. Layout: see `meme_folder`."""

from __future__ import annotations

from pathlib import Path

from training.datasets import meme_folder
from training.datasets.base import Row

LAYOUT = meme_folder.Layout(
    "restore", ("meme_depressive_categories", "meme_depressive_category", "categories", "category"), meme_folder.several
)


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """`label`: a tuple of categories as they are written."""
    return meme_folder.load(LAYOUT, part, folder)


def of_file(path: Path) -> tuple[list[Row], list[str]]:
    """The same of one file, whatever part it is."""
    return meme_folder.of_file(LAYOUT, path)
