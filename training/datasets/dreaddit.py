"""Dreaddit (Turcan and McKeown 2019): forum posts, written under stress (label 1) or not. Parquet splits or official files.

Official layout: `DATA/dreaddit/dreaddit-train.csv` and `dreaddit-test.csv` (or in DATA itself) with the columns subreddit,
post_id, sentence_range, text, id, label (1 = stress), confidence and more, which are not read. There are no validation
rows. A post was cut into several rows; `post_id` is their group. The domain is that of the forum, as in the paper.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.datasets.base import LoadResult, Row
from training.datasets.dataset import Dataset
from training.datasets.tables import find_column, group_of, read_rows, read_table

FILES = {"train": "dreaddit-train.csv", "test": "dreaddit-test.csv"}
DOMAINS = {
    "domesticviolence": "abuse", "survivorsofabuse": "abuse", "anxiety": "anxiety", "stress": "anxiety",
    "almosthomeless": "financial", "assistance": "financial", "food_pantry": "financial", "homeless": "financial",
    "ptsd": "ptsd", "relationships": "social",
}  # fmt: skip
"""The domain of each of the ten forums."""


def _read_split(root: Path, split: str) -> LoadResult | None:
    folder = next((folder for folder in (root / "dreaddit", root) if (folder / FILES["train"]).is_file()), None)
    if folder is None:
        return None
    return read_official(folder / FILES[split]) if split in FILES else ([], [])


def read_official(path: Path) -> LoadResult:
    """Rows of an official file. A missing column is an error; a row without words or of an unknown forum is a sentence."""
    table = read_table(path)
    for name in ("text", "label", "subreddit"):
        find_column(table, (name,), path)

    def parse_row(record: dict[str, Any], position: str, problems: list[str]) -> Row | None:
        text, forum = (record["text"] or "").strip(), (record["subreddit"] or "").strip()
        if not text:
            problems.append(f"{position}, has no words, so it is left out.")
            return None
        if forum not in DOMAINS:
            problems.append(
                f"{position}: {forum!r} is none of the forums {', '.join(DOMAINS)}; its domain is not asked."
            )
        confidence = _number(record.get("confidence"))
        details = {"domain": DOMAINS.get(forum), "subreddit": forum, "confidence": confidence}
        identity = str(record.get("id") or position.rpartition(" ")[2])
        group = record.get("post_id") or group_of(text, None)
        return Row("dreaddit", identity, text, None, _stress(record["label"]), group, details)

    return read_rows(table, path, parse_row)


def _stress(value: str | None) -> int | str | None:
    """What is neither 0 nor 1 stays as it is written, so that the task can name it."""
    word = (value or "").strip().removesuffix(".0")
    return int(word) if word in {"0", "1"} else word or None


def _number(value: str | None) -> float | None:
    try:
        return float(value or "")
    except ValueError:
        return None


DREADDIT = Dataset(
    "dreaddit",
    ("text", "stress", "domain"),
    label="stress",
    details=("domain", "subreddit", "confidence"),
    official_split=_read_split,
    official_file=read_official,
)
