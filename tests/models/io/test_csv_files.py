"""The one writer of CSV: spreadsheets show what it writes, and compute none of it."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import pytest

from models.io.csv_files import csv_line, csv_text

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_a_formula_stays_text(text: str) -> None:
    assert next(csv.reader(io.StringIO(csv_line([text]), newline=""))) == ["'" + text]


def test_numbers_and_plain_texts_are_as_they_are() -> None:
    assert csv_line([-1.5, 2, None, "a=b", 'c "d", e', True]) == '-1.5,2,,a=b,"c ""d"", e",True\n'
    assert list(csv.reader(io.StringIO(csv_line(["a\r=b", "c\n=d"]), newline=""))) == [["a\r=b", "c\n=d"]]
    assert csv_text(["a", "=b"], [[1, "x"]]) == "a,'=b\r\n1,x\r\n"


def test_the_app_has_no_other_writer() -> None:
    files = subprocess.run(
        ["git", "grep", "-lE", r"csv\.(writer|DictWriter)|\.to_csv\(", "--", "models", "components", "pages", "serving"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert files == ["models/io/csv_files.py"]
