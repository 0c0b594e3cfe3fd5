"""CSV as the app writes it: no text in it is run as a formula by the spreadsheet that opens it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

# What makes a spreadsheet compute a text instead of showing it (OWASP, CSV injection); in East Asia also in full width.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_line(values: Iterable[Any], *, end: str = "\n") -> str:
    """One line; None is left empty. An apostrophe is put before a text that a spreadsheet would take for a formula."""
    buffer = io.StringIO()
    safe = ["'" + value if isinstance(value, str) and value.startswith(FORMULA_PREFIXES) else value for value in values]
    # The writer puts a text that has characters of this line end into quotation marks.
    csv.writer(buffer, lineterminator="\r\n").writerow(safe)
    return buffer.getvalue().removesuffix("\r\n") + end


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A whole file with its header, for a download: lines end as spreadsheets expect."""
    return "".join(csv_line(row, end="\r\n") for row in (columns, *rows))
