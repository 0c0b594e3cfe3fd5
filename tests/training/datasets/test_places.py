"""A row knows where it stands in its Parquet file, whatever is left out before it: the page shows memes by that number."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import drawn
from training.datasets.memotion import MEMOTION_POLARITY


def test_copies_and_empty_rows_do_not_move_the_places_of_others(tmp_path: Path) -> None:
    words = ["one", "one", "", "two", "three"]
    table = pa.table(
        {
            "image_name": [f"{number}.png" for number in range(5)],
            "image": [drawn(), drawn(), drawn(), drawn(), drawn()],
            "text": words,
            "overall_sentiment": ["positive", "positive", "negative", "neutral", "very_negative"],
            "group": ["a", "a", "b", "c", "d"],
            **{aspect: ["not_" + aspect] * 5 for aspect in ("humour", "sarcasm", "offensive", "motivational")},
        }
    )
    pq.write_table(table, tmp_path / "memotion.train.parquet")
    rows, problems = MEMOTION_POLARITY.load("train", tmp_path)
    assert [(row.text, row.row_number) for row in rows] == [("one", 0), ("two", 3), ("three", 4)]
    assert problems == []
