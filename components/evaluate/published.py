"""What others reported, with where, and how far two labels of one meme agree: shown beside our figures.

Others' test rows are not ours, which the page says.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from models.evaluation_files import read_json_or_empty

NEAR_COPIES = Path(__file__).parents[2] / "assets" / "near_copies.json"  # benchmarks/near_copies.py writes it
WITH_CARE = "Others' figures are on their own test rows, ours on rows named here: compare them with care."


@dataclass(frozen=True)
class Published:
    """An entry of `published.toml`."""

    task: str
    system: str
    figure: str
    value: float
    source: str


PUBLISHED = [
    Published(**entry)
    for entry in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["published"]
]


def of(task: str) -> list[Published]:
    """Those of one task."""
    return [result for result in PUBLISHED if result.task == task]


def near_copies(task: str) -> dict[str, float]:
    """What the label of another copy of the same meme tells of a label, as measured; empty where nothing is known."""
    return dict(read_json_or_empty(NEAR_COPIES.parent, NEAR_COPIES.name).get(task, {}))
