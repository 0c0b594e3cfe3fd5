"""One row of any data set, whatever its official layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Label = int | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Row:
    """A meme, a sentence or a picture with what its annotators said.

    `label` is 0/1 for hate and harm, a name for one of several classes, a tuple of names where several may hold, None
    where the file has none. `group`: rows that share it are near-copies and stay on one side of any split.
    `details`: further official columns by name (harm level, FERPlus votes, affect ratings, ...). `place` is the row's number
    in the Parquet file that it was read from, -1 where it was read from another layout. `opened`: the picture was opened
    once and is safe, so that it need not be tried again.
    """

    source: str
    id: str
    text: str | None = None
    image: bytes | None = None
    label: Label = None
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    place: int = field(default=-1, compare=False)
    opened: bool = field(default=False, compare=False)
