"""Rows to files: Parquet for shards, and Parquet, CSV or JSON lines for all of them together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
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
    write([table(rows, predictors)], {format_: buffer}, predictors)
    return buffer.getvalue()


def write(tables: Iterable[pa.Table], outs: Mapping[str, IO[bytes]], predictors: Sequence[str] = ()) -> int:
    """All tables into each of `outs` (by format); returns the number of rows. Only one table is in memory at a time."""
    count, columns = 0, schema(predictors)
    with ExitStack() as stack:
        writer = stack.enter_context(pq.ParquetWriter(outs["parquet"], columns)) if "parquet" in outs else None
        if "csv" in outs:
            outs["csv"].write(_line(columns.names).encode())
        for batch in tables:
            count += batch.num_rows
            if writer is not None:
                writer.write_table(batch)
            if "csv" in outs or "jsonl" in outs:
                rows = batch.to_pylist()
                for format_, lines in (("csv", csv_lines), ("jsonl", json_lines)):
                    if format_ in outs:
                        outs[format_].write("".join(lines(rows)).encode("utf-8", "replace"))
    return count


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Without a header. An apostrophe is put before a text that a spreadsheet would take for a formula."""
    for row in rows:
        yield _line(
            [
                "'" + value if isinstance(value, str) and value.startswith(FORMULA_PREFIXES) else value
                for value in row.values()
            ]
        )


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """An object a line."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _line(values: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()
