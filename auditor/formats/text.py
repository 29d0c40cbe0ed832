"""Text and times, fitted to what somebody else's schema takes."""

from __future__ import annotations

from datetime import datetime


def cut(text: str, most: int) -> str:
    """Return `text`, with its end given up for an ellipsis where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def milliseconds(time: str) -> int:
    """Return an RFC 3339 time as milliseconds since the epoch."""
    return round(datetime.fromisoformat(time).timestamp() * 1_000)
