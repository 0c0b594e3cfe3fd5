"""HarMeme / Harm-C: COVID-19 memes, harmful (label 1) or not (Pramanick et al. 2021). Harmful is not hateful.

Parquet splits, or the official files anywhere under `DATA/harmeme`: `train.jsonl`, `val.jsonl`, `test.jsonl` with lines of
`{"id": "covid_memes_18", "image": "covid_memes_18.png", "labels": ["somewhat harmful", "individual"], "text": "..."}`, and
the pictures in `images/` beside them or beside their folder, as in `datasets/memes/defaults/{annotations,images}/`.
`details`: the degree of harm and the target of the meme (none where it is not harmful).
"""

from pathlib import Path
from typing import Any

from models.errors import BadInput
from training.datasets.base import Dataset, LoadResult, Row
from training.datasets.tables import find_file, first_folder, group_of, picture_or_none, read_rows, read_table

FILES = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
HARM_LEVELS = {"not harmful": 0, "somewhat harmful": 1, "very harmful": 1}


def _read_split(root: Path, split: str) -> LoadResult | None:
    folder = root / "harmeme"
    if not folder.is_dir():
        return None
    if split not in FILES:
        raise BadInput(f"HarMeme has the splits {', '.join(FILES)}, not {split!r}.")
    return read_official(find_file(folder, FILES[split], "HarMeme"), folder)


def read_official(path: Path, *more_folders: Path) -> LoadResult:
    """Rows of an official file, named by their picture; `images/` lies beside it, beside its folder or in `more_folders`.

    A missing column is an error; a row that cannot be used or lacks its picture is a sentence.
    """
    images = first_folder(*(folder / "images" for folder in (path.parent, path.parent.parent, *more_folders)))

    def parse_row(record: dict[str, Any], position: str, problems: list[str]) -> Row:
        text, name = str(record.get("text") or "").strip() or None, str(record.get("image") or "")
        label, details = _parse_labels(record.get("labels"))
        image = picture_or_none(images, name, text, position, problems)
        identity = str(name or record.get("id") or position.rpartition(" ")[2])
        return Row("harmeme", identity, text, image, label, group_of(text, image), details)

    return read_rows(read_table(path, "image", "text", "labels"), path, parse_row)


def _parse_labels(value: Any) -> tuple[int, dict[str, str | None]]:
    """The degree of harm, and the first target; `BadInput` where the list does not hold exactly one degree."""
    names = [str(name).strip().lower() for name in value] if isinstance(value, list) else []
    levels = [name for name in names if name in HARM_LEVELS]
    if len(levels) != 1:
        raise BadInput(f"the labels {value!r} do not hold exactly one of {', '.join(HARM_LEVELS)}")
    target = next((name for name in names if name not in HARM_LEVELS), None)
    return HARM_LEVELS[levels[0]], {"raw_label": "|".join(names), "harm_level": levels[0], "target": target}


HARMEME = Dataset(
    "harmeme",
    ("image", "text", "label", "target"),
    details=("raw_label", "harm_level", "target"),
    official_split=_read_split,
    official_file=read_official,
)
