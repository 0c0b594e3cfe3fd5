"""Dreaddit (Turcan and McKeown 2019): forum posts, written under stress (label 1) or not. Parquet splits or official files.

Official layout: `DATA/dreaddit/dreaddit-train.csv` and `dreaddit-test.csv` (or in DATA itself) with the columns subreddit,
post_id, sentence_range, text, id, label (1 = stress), confidence and more, which are not read. There are no validation
rows. A post was cut into several rows; `post_id` is their group. The domain is that of the forum, as in the paper.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from training.datasets.base import Dataset, LoadResult, Row
from training.datasets.tables import group_of, read_rows, read_table

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

    def parse_row(record: dict[str, Any], position: str, problems: list[str]) -> Row | None:
        text, forum = (record["text"] or "").strip(), (record["subreddit"] or "").strip()
        if not text:
            problems.append(f"{position}, has no words, so it is left out.")
            return None
        if forum not in DOMAINS:
            problems.append(f"{position}: {forum!r} is none of the forums {', '.join(DOMAINS)}; its domain is unknown.")
        confidence = None
        with suppress(ValueError):
            confidence = float(record.get("confidence") or "")
        label = (record["label"] or "").strip().removesuffix(".0")
        return Row(
            "dreaddit",
            id=str(record.get("id") or position.rpartition(" ")[2]),
            text=text,
            # What is neither 0 nor 1 stays as it is written, so that the task can name it.
            label=int(label) if label in {"0", "1"} else label or None,
            group=record.get("post_id") or group_of(text, None),
            details={"domain": DOMAINS.get(forum), "subreddit": forum, "confidence": confidence},
        )

    return read_rows(read_table(path, "text", "label", "subreddit"), path, parse_row)


DREADDIT = Dataset(
    "dreaddit",
    ("text", "stress", "domain"),
    label="stress",
    details=("domain", "subreddit", "confidence"),
    official_split=_read_split,
    official_file=read_official,
)
