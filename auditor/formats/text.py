"""Text and times, fitted to what somebody else's schema takes."""

from __future__ import annotations

from datetime import datetime

from auditor.model import shown

ELLIPSIS = "…"
"""Stands at the end of a text that was cut."""


def cut(text: str, most: int) -> str:
    """Return `text`, with its end given up for an ellipsis where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}{ELLIPSIS}"


def milliseconds(time: str) -> int:
    """Return an RFC 3339 time as milliseconds since the epoch."""
    return round(datetime.fromisoformat(time).timestamp() * 1_000)


def one_line(text: str, most: int) -> str:
    """Return `text` as one line of at most `most` bytes in UTF-8, fit to be shown and never empty."""
    line = shown(" ".join(text.split())) or "-"
    if len(line) * 4 <= most or len(line.encode()) <= most:
        return line
    return line.encode()[: most - len(ELLIPSIS.encode())].decode(errors="ignore") + ELLIPSIS


def without_surrogates(text: str) -> str:
    """Return `text` with lone surrogates, which no UTF-8 can hold, written as their escapes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
