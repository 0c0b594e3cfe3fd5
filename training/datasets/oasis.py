"""OASIS (Kurdi et al. 2017): photographs with their mean ratings of valence and arousal, 1 to 7, without labels.

Parquet splits, or the official files under `DATA/oasis`: `OASIS.csv` (Theme, Category, Valence_mean, Valence_SD,
Arousal_mean, ...) and pictures named by their theme (`Acorns 1.jpg`). The official files have no splits: a fifth of the
themes, chosen by a hash, are the validation rows.
"""

import hashlib
from pathlib import Path

from models.errors import BadInput
from training.datasets.base import Dataset, LoadResult, Row
from training.datasets.tables import find_file, read_table

RATINGS = ("valence_mean", "valence_sd", "arousal_mean", "arousal_sd")


def read_official(folder: Path) -> list[Row]:
    """All photographs of the official files but those with nudity; `BadInput` names what is missing.

    `group` is the theme without its number: "Acorns 1" and "Acorns 2" show the same thing.
    """
    table = find_file(folder, "OASIS.csv", "OASIS")
    pictures = {path.stem.strip().lower(): path for path in folder.rglob("*.jpg")}
    rows = []
    for line in read_table(table):
        record = {key.strip().lower(): value for key, value in line.items() if key}
        theme = (record.get("theme") or "").strip()
        picture = pictures.get(theme.lower())
        if picture is None or theme.lower().startswith("nude"):
            continue
        try:
            ratings = {name: float(record[name]) for name in RATINGS}
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{table} has no usable {', '.join(RATINGS)} for {theme!r}.") from error
        details = {"theme": theme, "category": record.get("category", ""), **ratings}
        group = theme.rstrip("0123456789 ")
        rows.append(Row("oasis", theme, image=picture.read_bytes(), group=group, details=details))
    if not rows:
        raise BadInput(f"None of the photographs of {table} lies under {folder}: unpack them there.")
    return rows


def _read_split(root: Path, split: str) -> LoadResult | None:
    folder = root / "oasis"
    if not folder.is_dir():
        return None
    validation = split == "validation"
    rows = read_official(folder) if split in {"train", "validation"} else []
    return [row for row in rows if (hashlib.sha256(row.group.encode()).digest()[0] % 5 == 0) is validation], []


OASIS = Dataset(
    "oasis",
    ("image", "valence_mean", "arousal_mean"),
    label=None,
    details=("theme", "category", "picture_credit", *RATINGS),
    official_split=_read_split,
)
