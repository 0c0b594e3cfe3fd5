"""Untrusted CSV: rows and characters are counted while they are read, before anything is built of them.

A few bytes can stand for a row of a million fields, or an unclosed quotation mark turn a file into one field; here a row ends
the reading as soon as it is too long, and so does a table as soon as it holds more than its reader can take.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Literal

from models.errors import BadInput

MAX_ROW = 1_000_000  # characters of one row of a CSV
MAX_COLUMNS = 1_000


@dataclass
class Budget:
    """How many rows and characters of all tables together are still taken; None: any number.

    `advice` ends the sentence that says that there are too many.
    """

    rows: int | None = None
    characters: int | None = None
    advice: str = "split it"

    def __post_init__(self) -> None:
        self._max_rows, self._max_characters = self.rows, self.characters

    def spend(self, *, rows: int = 0, characters: int = 0) -> None:
        """Count what is about to be taken. Raises `BadInput` if that is more than is left."""
        if self.rows is not None:
            self.rows -= rows
            if self.rows < 0:
                raise BadInput(f"The table has more than {self._max_rows:,} rows: {self.advice}.")
        if self.characters is not None:
            self.characters -= characters
            if self.characters < 0:
                raise BadInput(f"The table has more than {self._max_characters:,} characters: {self.advice}.")


class _Lines:
    """The lines of a text file, counted. `row` are the characters since the row began; whoever reads rows sets it to 0."""

    def __init__(self, file: IO[str], budget: Budget) -> None:
        self._file, self._budget, self.row = file, budget, 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_ROW + 1)
        if not line:
            raise StopIteration
        self.row += len(line)
        if self.row > MAX_ROW:
            raise BadInput(
                f"A row of the CSV has more than {MAX_ROW:,} characters: close its quotation marks, or shorten it."
            )
        self._budget.spend(characters=len(line))
        return line


def csv_rows(
    file: IO[bytes], budget: Budget, *, errors: Literal["strict", "replace"] = "strict"
) -> Iterator[dict[str, Any]]:
    """The rows of a CSV in UTF-8 by the names in its header, with commas or semicolons between; None where a row is too short.

    The first is the header itself, its names without values. Raises `BadInput`, and `UnicodeDecodeError` if `errors` is strict.
    """
    with _text(file, errors) as text:
        lines = _Lines(text, budget)
        first = next(lines, "")
        delimiter = ";" if first.count(";") > first.count(",") else ","
        reader = csv.DictReader(chain([first] if first else [], lines), delimiter=delimiter)
        with _readable():
            names = list(reader.fieldnames or ())
        if len(names) > MAX_COLUMNS:
            raise BadInput(f"The CSV has more than {MAX_COLUMNS:,} columns: leave those out that are not needed.")
        yield dict.fromkeys(names)
        yield from _counted(reader, lines, budget)


def _counted(rows: Iterable[Any], lines: _Lines, budget: Budget) -> Iterator[Any]:
    reader = iter(rows)
    while True:
        lines.row = 0
        with _readable():
            row = next(reader, None)
        if row is None:
            return
        budget.spend(rows=1)
        yield row


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise BadInput(
            f"The CSV cannot be read ({error}): save it as UTF-8 with a header and commas between, close its quotation "
            f"marks, and keep every field below {csv.field_size_limit():,} characters."
        ) from error


@contextmanager
def _text(file: IO[bytes], errors: str) -> Iterator[IO[str]]:
    text = io.TextIOWrapper(file, "utf-8-sig", errors, newline="")
    try:
        yield text
    finally:
        if not file.closed:  # a reader that is given up midway may end after its file
            text.detach()  # the file stays open for its owner
