"""AxiOM (Mazhar et al. 2025): memes with one anxiety category each, as it is written. Layout: see `meme_folder`."""

from __future__ import annotations

from training.datasets import meme_folder

AXIOM = meme_folder.dataset(
    "axiom", ("meme_anxiety_category", "meme_anxiety_categories", "category"), meme_folder.single_category
)
