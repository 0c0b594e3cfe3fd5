"""Dreaddit (Turcan and McKeown 2019): forum posts, written under stress or not. Parquet parts, or the official files.

Official layout: `DATA/dreaddit/dreaddit-train.csv` and `dreaddit-test.csv` (or in DATA itself) with the columns subreddit,
post_id, sentence_range, text, id, label (1 = stress), confidence and more, which is not read. There are no validation rows.
A post was cut into several rows; `post_id` is their group. The domain is that of the forum, as in the paper.
"""

from __future__ import annotations

from pathlib import Path

from training.datasets.base import Row
from training.datasets.folder import data_folder
from training.datasets.parquet import read_part
from training.datasets.tables import column, group_of, read_table

FILES = {"train": "dreaddit-train.csv", "test": "dreaddit-test.csv"}
DOMAINS = {
    "domesticviolence": "abuse", "survivorsofabuse": "abuse", "anxiety": "anxiety", "stress": "anxiety",
    "almosthomeless": "financial", "assistance": "financial", "food_pantry": "financial", "homeless": "financial",
    "ptsd": "ptsd", "relationships": "social",
}  # fmt: skip
"""Of each of the ten forums."""


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: 1 = stress; `details`: the domain, the forum and how sure the annotators were."""
    details, needed = ("domain", "subreddit", "confidence"), ("text", "stress", "domain")
    return read_part("dreaddit", part, folder, label="stress", details=details, needed=needed)


def load(part: str, folder: str | Path | None = None) -> tuple[list[Row], list[str]]:
    """The Parquet part if it is there, else the official file; and a sentence for each row that is not whole."""
    root = data_folder(folder)
    there = [place for place in (root / "dreaddit", root) if (place / FILES["train"]).is_file()]
    if (root / "dreaddit.train.parquet").is_file() or not there:
        return read(part, folder), []
    return of_file(there[0] / FILES[part]) if part in FILES else ([], [])


def of_file(path: Path) -> tuple[list[Row], list[str]]:
    """Rows of an official file. A missing column is an error; a row without words or of another forum a sentence."""
    table = read_table(path)
    words, label, forum = (column(table, (name,), path) for name in ("text", "label", "subreddit"))
    rows: list[Row] = []
    problems: list[str] = []
    for number, line in enumerate(table, start=1):
        text, name = (line[words] or "").strip(), (line[forum] or "").strip()
        if not text:
            problems.append(f"{path.name}, row {number}, has no words, so it is left out.")
            continue
        if name not in DOMAINS:
            known = ", ".join(DOMAINS)
            problems.append(
                f"{path.name}, row {number}: {name!r} is none of the forums {known}; its domain is not asked."
            )
        details = {"domain": DOMAINS.get(name), "subreddit": name, "confidence": _number(line.get("confidence"))}
        group = line.get("post_id") or group_of(text, None)
        rows.append(Row("dreaddit", str(line.get("id") or number), text, None, _stress(line[label]), group, details))
    return rows, problems


def _stress(value: str | None) -> int | str | None:
    """What is neither 0 nor 1 stays as it is written, for the task to tell."""
    word = (value or "").strip().removesuffix(".0")
    return int(word) if word in {"0", "1"} else word or None


def _number(value: str | None) -> float | None:
    try:
        return float(value or "")
    except ValueError:
        return None
