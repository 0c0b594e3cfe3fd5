"""Rows that cannot be used: each gets a sentence, and the rest of the data set goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from models.errors import BadPicture
from models.io.images import open_picture
from training.datasets.base import Row


def readable(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """The rows with pictures that can be opened safely; an unreadable one leaves the row its words, if it has any.

    A picture that was opened here before is not opened again.
    """
    found: list[Row] = []
    problems: list[str] = []
    for row in rows:
        kept = row
        if row.image is not None and not row.opened:
            try:
                open_picture(row.image)
                kept = replace(row, opened=True)
            except BadPicture as error:
                problems.append(f"Row {row.id}: {error}")
                kept = replace(row, image=None)
        if kept.image is None and kept.text is None:
            problems.append(f"Row {row.id} has neither words nor a picture that can be read, so it is left out.")
        else:
            found.append(kept)
    return found, problems
