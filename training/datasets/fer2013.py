"""FER-2013 faces with their FERPlus votes (Goodfellow et al. 2013, Barsoum et al. 2016): 48x48 grey pictures."""

from __future__ import annotations

from pathlib import Path

from training.datasets.base import Row
from training.datasets.parquet import read_part

VOTES = (
    "fp_neutral", "fp_happiness", "fp_surprise", "fp_sadness", "fp_anger",
    "fp_disgust", "fp_fear", "fp_contempt", "fp_unknown", "fp_NF",
)  # fmt: skip


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: one of the seven expressions; `details`: the ten votes, NF meaning that there is no face."""
    return read_part("fer2013", part, folder, details=VOTES, needed=("image", "label", *VOTES))
