"""Parquet from strangers: what would unpack to too much is refused before it does, whatever the footer says."""

from __future__ import annotations

import io
import os
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import BadInput
from models.io import parquet

CAPTIONS = [f"{number} words" for number in range(1000)]


def written(columns: dict[str, Any], **options: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer


def checked(file: io.BytesIO) -> pq.ParquetFile:
    table = parquet.open_parquet(file, "t.parquet")
    parquet.check(file, table, ["image", "caption"])
    return table


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize(
    "options",
    [{}, {"data_page_version": "2.0"}, {"use_dictionary": False, "data_page_size": 100}, {"write_page_checksum": True}],
)
def test_what_is_written_as_usual_is_read(compression: str, options: dict[str, Any]) -> None:
    images = [{"bytes": os.urandom(100), "path": None} for _ in CAPTIONS]
    columns = {"image": images, "caption": CAPTIONS, "more": [[1, 2]] * 1000}
    table = checked(written(columns, compression=compression, row_group_size=400, **options))
    rows = [row for group in range(3) for row in parquet.rows(table, ["image", "caption"], group)]
    assert [row["caption"] for row in rows] == CAPTIONS
    assert [row["image"] for row in rows] == images
    assert [row["caption"] for row in parquet.rows(table, ["caption"], 1, start=3, stop=7)] == CAPTIONS[403:407]


def varint(number: int, length: int = 0) -> bytes:
    """A number as the footer has it, made longer without changing it."""
    number, data = 2 * number, bytearray()
    while number or not data or len(data) < length:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data[-1] &= 0x7F
    return bytes(data)


def with_lying_footer(file: io.BytesIO) -> io.BytesIO:
    """The same file, its footer saying that its only column unpacks to 1,000 bytes."""
    size = pq.ParquetFile(file).metadata.row_group(0).column(0).total_uncompressed_size
    data, written_size = file.getvalue(), varint(size)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    return io.BytesIO(data[:footer] + data[footer:].replace(written_size, varint(1000, len(written_size))))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    bomb, small = (written({"caption": ["a" * size]}, **options) for size in (100_000_000, 1_500_000))
    lying, small_lying = with_lying_footer(bomb), with_lying_footer(small)
    assert len(bomb.getvalue()) < 20_000
    assert pq.ParquetFile(lying).metadata.row_group(0).column(0).total_uncompressed_size == 1000
    checked(small)
    allocated = pa.default_memory_pool().bytes_allocated()
    for file, says in ((bomb, "95 MB"), (lying, "95 MB"), (small_lying, "does not tell the truth")):
        with pytest.raises(BadInput, match=says):
            checked(file)
    assert pa.default_memory_pool().bytes_allocated() - allocated < 1_000_000


def test_a_bomb_beside_what_does_not_pack_is_refused() -> None:
    values = [os.urandom(5_000_000), b"a" * 100_000_000]
    bomb = written({"image": values}, compression="zstd", use_dictionary=False, data_page_size=1, write_batch_size=1)
    with pytest.raises(BadInput, match=r"95 MB|100 MB"):
        checked(bomb)


def test_pictures_in_a_single_row_group_are_read() -> None:
    pictures = [os.urandom(100_000) for _ in range(1000)]  # as they come from a camera: they do not pack
    table = checked(written({"image": pictures, "caption": CAPTIONS}))
    assert table.num_row_groups == 1
    assert [row["image"] for row in parquet.rows(table, ["image"], 0)] == pictures


def test_a_long_value_in_every_row_is_unpacked_a_few_rows_at_a_time() -> None:
    captions = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000), ["a" * 1_000_000])  # 10 GB, if all were built
    file = written({"caption": captions}, compression="zstd", store_schema=False)
    table = checked(file)
    before = pa.total_allocated_bytes()
    for number, row in enumerate(parquet.rows(table, ["caption"], 0)):
        assert len(row["caption"]) == 1_000_000
        if number % 50 == 0:
            assert pa.total_allocated_bytes() - before < 3 * parquet.AT_ONCE
        if number == 200:
            break


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"caption": CAPTIONS}, {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}),
        ({"caption": CAPTIONS}, {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"}),
        ({"caption": [["a", "b"]] * 9}, {}),
        ({"image": pa.array([None] * 9, pa.binary(1_000_000))}, {}),
    ],
)
def test_what_cannot_be_told_beforehand_is_refused(columns: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"pandas|list"):
        checked(written(columns, **options))


def test_damage_anywhere_is_a_sentence_or_goes_unnoticed() -> None:
    data = written({"caption": CAPTIONS, "image": [b"x"] * 1000}, compression="zstd").getvalue()
    for at in range(4, len(data) - 8, 7):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        try:
            table = checked(io.BytesIO(bytes(changed)))
            for group in range(table.num_row_groups):
                list(parquet.rows(table, ["caption", "image"], group))
        except BadInput:
            continue
