"""AxiOM (Mazhar et al. 2025): memes with one anxiety category each. Layout: see `meme_folder`."""

from __future__ import annotations

from pathlib import Path

from training.datasets import meme_folder
from training.datasets.base import Row

LAYOUT = meme_folder.Layout("axiom", ("meme_anxiety_category", "meme_anxiety_categories", "category"), meme_folder.one)


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """`label`: the category as it is written."""
    return meme_folder.load(LAYOUT, part, folder)


def of_file(path: Path) -> tuple[list[Row], list[str]]:
    """The same of one file, whatever part it is."""
    return meme_folder.of_file(LAYOUT, path)
