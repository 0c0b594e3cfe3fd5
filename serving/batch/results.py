"""Rows to files: Parquet for shards, and all of them together as Parquet, CSV or JSON lines."""

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
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute instead of show


def schema(systems: Sequence[str] = ()) -> pa.Schema:
    """The columns and their types."""
    plain = [(name, pa.float64() if name in NUMBERS else pa.string()) for name in COLUMNS]
    return pa.schema([*plain, *((name.replace("-", "_"), pa.string()) for name in systems)])


def table(rows: Iterable[Row], systems: Sequence[str] = ()) -> pa.Table:
    """Rows as a table; a further system's column is empty where the row has an error."""
    return pa.Table.from_pylist([row.flat() for row in rows], schema(systems))


def parquet(rows: Iterable[Row], systems: Sequence[str] = ()) -> bytes:
    """Rows as the bytes of a Parquet file."""
    held = io.BytesIO()
    pq.write_table(table(rows, systems), held, compression="zstd")
    return held.getvalue()


def in_form(form: str, rows: Iterable[Row], systems: Sequence[str] = ()) -> bytes:
    """Rows as the bytes of a file in one of `FORMATS`."""
    held = io.BytesIO()
    write([table(rows, systems)], {form: held}, systems)
    return held.getvalue()


def write(tables: Iterable[pa.Table], outs: Mapping[str, IO[bytes]], systems: Sequence[str] = ()) -> int:
    """All tables into each of `outs` (by format); returns the number of rows. Only one table is held at a time."""
    count, columns = 0, schema(systems)
    with ExitStack() as stack:
        writer = stack.enter_context(pq.ParquetWriter(outs["parquet"], columns)) if "parquet" in outs else None
        if "csv" in outs:
            outs["csv"].write(_line(columns.names).encode())
        for one in tables:
            count += one.num_rows
            if writer is not None:
                writer.write_table(one)
            if "csv" in outs or "jsonl" in outs:
                rows = one.to_pylist()
                for format_, lines in (("csv", csv_lines), ("jsonl", json_lines)):
                    if format_ in outs:
                        outs[format_].write("".join(lines(rows)).encode("utf-8", "replace"))
    return count


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Without a header. A text that a spreadsheet would take for a formula begins with an apostrophe there."""
    for row in rows:
        yield _line(
            ["'" + value if isinstance(value, str) and value.startswith(FORMULA) else value for value in row.values()]
        )


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """An object a line."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _line(values: Iterable[Any]) -> str:
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerow(values)
    return held.getvalue()
