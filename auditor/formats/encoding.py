"""JSON that can be shown and split: nothing in it moves a cursor, turns text around or breaks a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from auditor.model import is_plain

_SURROGATE = re.compile("[\ud800-\udfff]")
_DELETE = b"\x7f"
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
"""The whole numbers that orjson writes."""


def encoded(value: Any) -> bytes:
    """Return `value` as one line of JSON, its meaning unchanged and what is hostile in it escaped."""
    try:
        raw = orjson.dumps(value, default=_default)
    except orjson.JSONEncodeError:
        raw = orjson.dumps(_writable(value), default=_default)
    if raw.isascii() and _DELETE not in raw:
        return raw  # as nearly all is: orjson has escaped what is hostile in ASCII, but for DEL
    text = raw.decode()
    if is_plain(text):
        return raw
    return "".join(each if is_plain(each) else _escaped(each) for each in text).encode()


def encoded_line(value: Any) -> bytes:
    """Return `value` as a line of JSON lines."""
    return encoded(value) + b"\n"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _default(value: Any) -> Any:
    return dict(value)  # a mapping that is no dict


def _writable(value: Any) -> Any:
    """Return `value` with what orjson does not write made fit for it.

    Lone surrogates, which no UTF-8 can hold, become their escapes; whole numbers of more than 64 bits, of which JSON
    knows no bound, are written out.
    """
    if isinstance(value, str):
        return _SURROGATE.sub(lambda match: rf"\u{ord(match[0]):04x}", value)
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        return orjson.Fragment(str(value))
    if is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Mapping):
        return {_writable(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    return value
