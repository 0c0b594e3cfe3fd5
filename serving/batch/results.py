"""Rows to files: Parquet for shards, and Parquet, CSV or JSON lines for all of them together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.io.flat_row import COLUMNS, Row

NUMBERS = ("probability", "logit", "harm")
FORMATS = ("parquet", "csv", "jsonl")
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute such a text instead of showing it


def schema(predictors: Sequence[str] = ()) -> pa.Schema:
    """The columns and their types."""
    plain = [(name, pa.float64() if name in NUMBERS else pa.string()) for name in COLUMNS]
    return pa.schema([*plain, *((name.replace("-", "_"), pa.string()) for name in predictors)])


def table(rows: Iterable[Row], predictors: Sequence[str] = ()) -> pa.Table:
    """Rows as a table; a further predictor's column is empty where the row has an error."""
    return pa.Table.from_pylist([row.flat() for row in rows], schema(predictors))


def parquet(rows: Iterable[Row], predictors: Sequence[str] = ()) -> bytes:
    """Rows as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table(rows, predictors), buffer, compression="zstd")
    return buffer.getvalue()


def to_bytes(format_: str, rows: Iterable[Row], predictors: Sequence[str] = ()) -> bytes:
    """Rows as the bytes of a file in one of `FORMATS`."""
    buffer = io.BytesIO()
    write([table(rows, predictors)], format_, buffer, predictors)
    return buffer.getvalue()


def write(tables: Iterable[pa.Table], format_: str, file: IO[bytes], predictors: Sequence[str] = ()) -> int:
    """All tables into one file; returns the number of rows. Only one table is in memory at a time."""
    count, columns = 0, schema(predictors)
    if format_ == "csv":
        file.write(csv_line(columns.names).encode())
    with pq.ParquetWriter(file, columns) if format_ == "parquet" else nullcontext() as writer:
        for batch in tables:
            count += batch.num_rows
            if writer is not None:
                writer.write_table(batch)
                continue
            lines = (csv_line(row.values()) if format_ == "csv" else json_line(row) for row in batch.to_pylist())
            file.write("".join(lines).encode("utf-8", "replace"))
    return count


def csv_line(values: Iterable[Any]) -> str:
    """One line. An apostrophe is put before a text that a spreadsheet would take for a formula."""
    buffer = io.StringIO()
    safe = ["'" + v if isinstance(v, str) and v.startswith(FORMULA_PREFIXES) else v for v in values]
    csv.writer(buffer, lineterminator="\n").writerow(safe)
    return buffer.getvalue()


def json_line(row: dict[str, Any]) -> str:
    """One line with an object."""
    return json.dumps(row, ensure_ascii=False) + "\n"
