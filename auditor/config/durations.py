"""Durations as people write them: `90s`, `30m`, `24h`, `3d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from auditor.config.text import quoted

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""A unit's letter → its seconds."""

EXAMPLES = "a whole number and one unit, such as 90s, 30m, 24h or 3d"

LONGEST = timedelta(days=36_500)
"""A century: what is subtracted from a date has to leave a date."""

PATTERN = "^[1-9][0-9]{0,9}[smhd]$"
"""What `parse_duration` takes, but for `LONGEST`, as far as a pattern can say it."""

_WRITTEN = re.compile(r"([+-]?)([0-9]+)([A-Za-z]*)")


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` says: a whole number above zero, and one of the units s, m, h and d.

    :raises ValueError: with a text that says what was found and what to write.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is no duration; write {EXAMPLES}")
    sign, number, unit = found.groups()
    if sign == "-" or not number.strip("0"):
        raise ValueError(f"{quoted(text)} is not above zero; write {EXAMPLES}")
    if len(number) > len(str(LONGEST // timedelta(seconds=1))):
        raise ValueError(f"{quoted(text)} is too long; write 36500d or less")
    if not unit:
        raise ValueError(f"{quoted(text)} has no unit; write {number}s, {number}m, {number}h or {number}d")
    if sign or number[0] == "0" or unit not in UNITS:
        raise ValueError(f"{quoted(text)} is no duration; write {EXAMPLES}")
    duration = timedelta(seconds=int(number) * UNITS[unit])
    if duration > LONGEST:
        raise ValueError(f"{quoted(text)} is too long; write 36500d or less")
    return duration


def format_duration(duration: timedelta) -> str:
    """Return `duration` in the largest unit that holds it whole: equal durations read the same."""
    seconds = duration.total_seconds()
    for unit in reversed(UNITS):
        if seconds % UNITS[unit] == 0:
            return f"{int(seconds) // UNITS[unit]}{unit}"
    return f"{seconds:g}s"


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # a bare number: the text says which units there are
    if not isinstance(value, str):
        raise PydanticCustomError("duration_type", "write {expected}", {"expected": EXAMPLES})
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "{fault}", {"fault": str(error)}) from None


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
"""A setting that is written as a duration: above zero, at most a century."""
