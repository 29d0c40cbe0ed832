"""The pages of a Parquet file, read from their own headers: no reader at hand tells of their sizes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

# The Thrift compact protocol, and PageHeader of parquet-format's parquet.thrift.
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 12
_UNCOMPRESSED, _COMPRESSED = 2, 3


def page_sizes(data: bytes) -> Iterator[int]:
    """Yield the size of each page before compression, dictionaries included."""
    metadata = parquet.ParquetFile(io.BytesIO(data)).metadata
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            at = column.data_page_offset
            if column.dictionary_page_offset:
                at = min(at, column.dictionary_page_offset)
            end = at + column.total_compressed_size
            while at < end:
                header, at = _struct(data, at)
                yield header[_UNCOMPRESSED]
                at += header[_COMPRESSED]
            assert at == end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _struct(data: bytes, at: int) -> tuple[dict[int, int], int]:
    """Return the whole numbers of a struct by field, and where it ends."""
    numbers: dict[int, int] = {}
    field = 0
    while (head := data[at]) != _STOP:
        kind, delta = head & 0x0F, head >> 4
        at += 1
        if delta:
            field += delta
        else:
            field, at = _zigzag(data, at)
        number, at = _value(data, at, kind)
        numbers[field] = number
    return numbers, at + 1


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _value(data: bytes, at: int, kind: int) -> tuple[int, int]:
    if kind in {_TRUE, _FALSE}:
        return 0, at
    if kind == _BYTE:
        return 0, at + 1
    if kind == _DOUBLE:
        return 0, at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        return 0, at + length
    if kind == _STRUCT:
        return 0, _struct(data, at)[1]
    assert kind != _LIST, "a page's header holds no list"
    return _zigzag(data, at)
