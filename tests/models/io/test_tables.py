"""CSV from strangers: as much is read as can be taken, and no more is built before it is counted."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from models.errors import BadInput
from models.io.tables import Budget, csv_rows


class Endless(io.RawIOBase):
    """A file that repeats a piece of text for ever, and counts what was read of it."""

    def __init__(self, start: bytes, piece: bytes) -> None:
        self._start, self._piece, self.read_bytes = start, piece, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data, self._start = self._start or self._piece, b""
        buffer[: len(data)] = data
        self.read_bytes += len(data)
        return len(data)


@pytest.mark.parametrize(
    ("start", "piece", "says"),
    [
        (b"image,caption\n", b"a.png,words\n" * 100, "more than 100 rows"),
        (b"image,caption\n", b"a" * 1000, "more than 1,000,000 characters"),
        (b"image,caption\n", b"," * 1000, "more than 1,000,000 characters"),
        (b'image,caption\n"', b"words\n" * 100, "close its quotation marks"),
        (b"image,caption\n", b'"a\n",' * 100, "more than 1,000,000 characters"),
        (b"image,caption\n", b"\n" * 1000, "more than 1,000,000 characters"),
        (b"", b"image," * 1000, "more than 1,000,000 characters"),
        (b"a," * 2000 + b"\n", b"1\n", "more than 1,000 columns"),
    ],
)
def test_an_endless_csv_ends(start: bytes, piece: bytes, says: str) -> None:
    file = Endless(start, piece)
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=says):
            for _ in csv_rows(io.BufferedReader(file), Budget(rows=100)):
                pass
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert file.read_bytes < 2_000_000


def test_tables_share_a_budget() -> None:
    budget = Budget(characters=30, advice="give less")
    assert len(list(csv_rows(io.BytesIO(b"a,b\nc,d\n"), budget))) == 2
    with pytest.raises(BadInput, match="more than 30 characters: give less"):
        list(csv_rows(io.BytesIO(b"a,b\n" * 6), budget))


def test_rows_come_by_the_header_s_names() -> None:
    file = io.BytesIO(b"\xef\xbb\xbfimage;caption\na.png;x,y\nb.png\n\nc.png;z;more\n")
    header, *rows = csv_rows(file, Budget())
    assert header == {"image": None, "caption": None}
    assert [(row["image"], row["caption"]) for row in rows] == [("a.png", "x,y"), ("b.png", None), ("c.png", "z")]
    assert not file.closed
