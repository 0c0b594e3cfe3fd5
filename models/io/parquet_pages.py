"""The header of a page of a Parquet file: what it says of the page's size, without unpacking it.

pyarrow does not show these headers. They are structs in Thrift's compact protocol (parquet.thrift, `PageHeader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# parquet.thrift: numbers of the fields of PageHeader, and of `encoding` in the header of each kind of page
_UNPACKED, _PACKED = 2, 3
_ENCODING = {5: 2, 7: 2, 8: 4}  # data page, dictionary page, data page of version 2
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 12


@dataclass(frozen=True)
class PageHeader:
    """Sizes in bytes: of the header itself, and of the page as it lies in the file and unpacked."""

    header: int
    packed: int
    unpacked: int
    encoding: int


def page_header(data: bytes) -> PageHeader:
    """The header at the start of `data`. Raises `ValueError` or `LookupError` where there is none."""
    fields, end = _struct(data, 0)
    packed, unpacked = fields.get(_PACKED), fields.get(_UNPACKED)
    encodings = [fields[page].get(number) for page, number in _ENCODING.items() if isinstance(fields.get(page), dict)]
    match packed, unpacked, encodings:
        case int(), int(), [int() as encoding] if packed >= 0 and unpacked >= 0:
            return PageHeader(end, packed, unpacked, encoding)
    raise ValueError("no header of a page")


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """The values of a struct by their numbers, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:  # 0 ends it
        step, kind, at = head >> 4, head & 15, at + 1
        if step:
            number += step
        else:
            number, at = _integer(data, at)
        fields[number], at = _value(kind, data, at)
    return fields, at + 1


def _value(kind: int, data: bytes, at: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind == _BYTE:
        return data[at], at + 1
    if kind in (_I16, _I32, _I64):
        return _integer(data, at)
    if kind == _DOUBLE:
        return None, at + 8
    if kind == _BINARY:  # of statistics
        length, at = _varint(data, at)
        return None, at + length
    if kind == _STRUCT:
        return _struct(data, at)
    raise ValueError(f"kind {kind}")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at  # zigzag: the sign is the last bit


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("no number")
