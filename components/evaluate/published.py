"""What others reported and where, and how far two labels of one meme agree: shown beside our figures.

Others' test rows are not ours, which the page says.
"""

import tomllib
from pathlib import Path
from typing import Any

from models.evaluation_files import read_json_or_empty

NEAR_COPIES = Path(__file__).parents[2] / "assets" / "near_copies.json"  # benchmarks/near_copies.py writes it
WITH_CARE = "Others' figures are on their own test rows, ours on rows named here: compare them with care."
PUBLISHED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["published"]


def of(task: str) -> list[dict[str, Any]]:
    """The entries of `published.toml` for a task or a folder: `system`, `figure`, `value` and `source`."""
    return [result for result in PUBLISHED if result["task"] == task]


def near_copies(task: str) -> dict[str, float]:
    """How far the labels of copies of one meme agree, as `NEAR_COPIES` has it; empty where nothing was measured."""
    return dict(read_json_or_empty(NEAR_COPIES.parent, NEAR_COPIES.name).get(task, {}))
