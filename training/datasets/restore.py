"""RESTORE (Yadav et al. 2023): memes with any number of depression categories, as written. Layout: see `meme_folder`."""

from __future__ import annotations

from training.datasets import meme_folder

RESTORE = meme_folder.dataset(
    "restore",
    ("meme_depressive_categories", "meme_depressive_category", "categories", "category"),
    meme_folder.category_list,
)
