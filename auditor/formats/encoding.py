"""JSON that can be shown and split: nothing in it moves a cursor, turns text around or breaks a line."""

from __future__ import annotations

import re
from typing import Any

import orjson

from auditor.model import shown

# In UTF-8: DEL and C1, soft hyphen, the bidirectional and zero-width marks, line and paragraph separators, tags.
# Legal in JSON, but a terminal obeys some of them, and many readers split lines at others.
_HOSTILE = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe1\xa0\x8e|\xe2\x80[\x8b-\x8f\xa8-\xaf]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80\x81][\x80-\xbf]"
)

_DELETE = b"\x7f"


def encoded(value: Any) -> bytes:
    """Return `value` as one line of JSON, its meaning unchanged and what is hostile in it escaped."""
    try:
        raw = orjson.dumps(value, default=_default)
    except orjson.JSONEncodeError:
        raw = orjson.dumps(_without_surrogates(value), default=_default)
    if raw.isascii() and _DELETE not in raw:
        return raw  # as nearly all is: orjson has escaped what is hostile in ASCII, but for DEL
    return _HOSTILE.sub(_escaped, raw)


def encoded_line(value: Any) -> bytes:
    """Return `value` as a line of JSON lines."""
    return encoded(value) + b"\n"


def _escaped(match: re.Match[bytes]) -> bytes:
    units = match[0].decode("utf-8").encode("utf-16-be")
    return b"".join(rb"\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2))


def _default(value: Any) -> Any:
    return dict(value)  # a mapping that is no dict


def _without_surrogates(value: Any) -> Any:
    """Return `value` with lone surrogates, which no UTF-8 can hold, written as their escapes."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
