"""OASIS (Kurdi et al. 2017): photographs with how pleasant and how stirring people found them, 1 to 7.

From Parquet, or from the official files: `OASIS.csv` (Theme, Category, Valence_mean, Valence_SD, Arousal_mean, ...)
beside a folder of pictures named by their theme (`Acorns 1.jpg`).
"""

from __future__ import annotations

import csv
from pathlib import Path

from models.errors import BadInput
from training.datasets.base import Row
from training.datasets.parquet import read_part

RATINGS = ("valence_mean", "valence_sd", "arousal_mean", "arousal_sd")


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """No label; `details`: the ratings, the theme and category, and whom to credit."""
    details, needed = ("theme", "category", "picture_credit", *RATINGS), ("image", "valence_mean", "arousal_mean")
    return read_part("oasis", part, folder, label=None, details=details, needed=needed)


def read_official(folder: str | Path) -> list[Row]:
    """All photographs of the official files but those with nudity; `BadInput` names what is missing."""
    folder = Path(folder)
    tables = sorted(folder.rglob("OASIS.csv")) if folder.is_dir() else []
    if not tables:
        raise BadInput(f"OASIS.csv is missing under {folder}: unpack OASIS's official files there.")
    pictures = {path.stem.strip().lower(): path for path in folder.rglob("*.jpg")}
    rows = []
    with tables[0].open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            entry = {key.strip().lower(): value for key, value in line.items() if key}
            theme = (entry.get("theme") or "").strip()
            picture = pictures.get(theme.lower())
            if picture is None or theme.lower().startswith("nude"):
                continue
            try:
                ratings = {name: float(entry[name]) for name in RATINGS}
            except (KeyError, TypeError, ValueError) as error:
                raise BadInput(f"{tables[0]} has no usable {', '.join(RATINGS)} for {theme!r}.") from error
            details = {"theme": theme, "category": entry.get("category", ""), **ratings}
            rows.append(Row("oasis", theme, image=picture.read_bytes(), details=details))
    if not rows:
        raise BadInput(f"None of the photographs of {tables[0]} lies under {folder}: unpack them there.")
    return rows
