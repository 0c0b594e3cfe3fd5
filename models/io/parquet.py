"""Parquet: rows one by one, and the check of an untrusted file before its first page is unpacked.

A page of a thousand bytes can unpack to gigabytes, a dictionary's one long value can stand in every row, and the footer that
tells sizes is written by whoever made the file. So `check` walks along the headers of the pages, whose sizes Arrow enforces,
without unpacking any, and refuses a footer that tells less; `rows` then unpacks no more at a time than the footer allows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from models.errors import BadInput
from models.io.parquet_pages import page_header

if TYPE_CHECKING:
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

MEGABYTE = 1024 * 1024
AT_ONCE = 64 * MEGABYTE  # bytes of rows that are in memory together, if the longest value stood in each
MAX_CHUNK = 256 * MEGABYTE  # bytes of a column of a row group, unpacked
# Unpacked to packed, from so many bytes on: words pack by 3 to 5, pictures are packed already, and only they are many bytes.
MAX_RATIOS = {2 * MEGABYTE: 50, 64 * MEGABYTE: 3}
HEADER = 64 * 1024  # bytes in which the header of a page must end
# Plain values, run lengths and dictionaries: what pandas, datasets and Spark write. The others' lengths are read from the
# page and could be anything.
ENCODINGS = (0, 2, 3, 8)
DAMAGED = "The Parquet file is damaged, or its footer does not tell the truth: write it again."


@contextmanager
def _readable(sentence: str) -> Iterator[None]:
    """What pyarrow and the headers of pages raise for damage, as `BadInput` with this sentence."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, ValueError, LookupError, OSError, OverflowError, RecursionError) as error:
        raise BadInput(sentence) from error


def open_parquet(file: IO[bytes], name: str) -> ParquetFile:
    """The file with its footer read. Raises `BadInput`, in whose sentence it has the `name`."""
    import pyarrow.parquet as pq

    with _readable(f"{name} is no Parquet file: check it, or write it again."):
        return pq.ParquetFile(file)


def rows(
    parquet: ParquetFile, columns: Sequence[str], group: int, *, start: int = 0, stop: int | None = None
) -> Iterator[dict[str, Any]]:
    """Rows `start` to `stop` of a row group, a few at a time. Raises `BadInput` where the file is damaged."""
    with _readable(DAMAGED):
        largest = max((chunk.total_uncompressed_size for chunk in _chunks(parquet, columns, group)), default=1)
        batches = parquet.iter_batches(max(1, min(1024, AT_ONCE // max(1, largest))), [group], list(columns))
    first = 0
    while stop is None or first < stop:
        with _readable(DAMAGED):
            batch = next(batches, None)
        if batch is None:
            return
        for number in range(
            max(0, start - first), batch.num_rows if stop is None else min(batch.num_rows, stop - first)
        ):
            with _readable(DAMAGED):
                row = {name: batch.column(name)[number].as_py() for name in columns}
            yield row
        first += batch.num_rows


def texts(parquet: ParquetFile, paths: Collection[str]) -> Iterator[str]:
    """All values of the columns of text at these paths, `struct.field` for a part of a struct; other columns have none."""
    import pyarrow

    for column in map(parquet.schema.column, range(len(parquet.schema))):
        if column.path not in paths or str(column.logical_type) != "String":
            continue
        batches = parquet.iter_batches(1024, columns=[column.path])
        while True:
            with _readable(DAMAGED):
                batch = next(batches, None)
                if batch is None:
                    break
                values = pyarrow.Table.from_batches([batch]).flatten().column(0).to_pylist()
            yield from filter(None, values)


def check(file: IO[bytes], parquet: ParquetFile, columns: Sequence[str]) -> None:
    """Raises `BadInput` if these columns would unpack to more than their share, or in a way that cannot be told beforehand."""
    with _readable(DAMAGED):
        for number in range(len(parquet.schema)):
            column = parquet.schema.column(number)
            unbounded = column.max_repetition_level or column.physical_type == "FIXED_LEN_BYTE_ARRAY"
            if unbounded and _is_of(column.path, columns):
                raise BadInput("A column of the Parquet file is a list: give pictures as bytes and words as text.")
        for group in range(parquet.num_row_groups):
            for chunk in _chunks(parquet, columns, group):
                _check_chunk(file, chunk)


def _chunks(parquet: ParquetFile, columns: Sequence[str], group: int) -> list[ColumnChunkMetaData]:
    row_group = parquet.metadata.row_group(group)
    chunks = [row_group.column(number) for number in range(row_group.num_columns)]
    return [chunk for chunk in chunks if _is_of(chunk.path_in_schema, columns)]


def _is_of(path: str, columns: Sequence[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in columns)


def _check_chunk(file: IO[bytes], chunk: ColumnChunkMetaData) -> None:
    packed, limit = chunk.total_compressed_size, chunk.total_uncompressed_size
    _check_size(packed, limit)
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < at:
        at = chunk.dictionary_page_offset
    end, unpacked = at + packed, 0
    while at < end:
        file.seek(at)
        page = page_header(file.read(HEADER))
        if page.encoding not in ENCODINGS:
            raise BadInput("The Parquet file has an encoding that is not read here: write it with pandas or pyarrow.")
        _check_size(page.packed, page.unpacked)
        unpacked += page.unpacked
        at += page.header + page.packed
        if unpacked > limit:
            raise BadInput(DAMAGED)


def _check_size(packed: int, unpacked: int) -> None:
    if unpacked > MAX_CHUNK or any(unpacked > max(size, ratio * packed) for size, ratio in MAX_RATIOS.items()):
        raise BadInput(
            f"A column of the Parquet file would unpack to {unpacked / MEGABYTE:,.0f} MB from {packed / MEGABYTE:,.1f} MB: "
            "write it in smaller row groups, with pictures as JPEG or PNG."
        )
