"""How late a destination learns what was so: from the start of the run that tells of it to when it is taken."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.history import Due


_DIGITS = 3
"""Of a second: clocks of two machines agree on less."""


class Lag:
    """The lag of the events that one destination has taken, in seconds."""

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0
        self._longest = 0.0
        self._began: dict[str, float] = {}
        """Start of a run → the same in seconds since the epoch: few runs tell of many events."""

    @property
    def longest(self) -> float | None:
        """The longest; None where nothing was taken."""
        return round(self._longest, _DIGITS) if self._count else None

    @property
    def mean(self) -> float | None:
        """The average; None as above."""
        return round(self._sum / self._count, _DIGITS) if self._count else None

    def took(self, taken: Iterable[Due], now: float) -> None:
        """Take note that these events are taken now: seconds since the epoch."""
        for due in taken:
            if due.said_at is None:
                continue
            began = self._began.get(due.said_at)
            if began is None:
                began = datetime.fromisoformat(due.said_at).timestamp()
                self._began[due.said_at] = began
            lag = max(now - began, 0.0)  # a clock that was set back makes none of less than nothing
            self._count += 1
            self._sum += lag
            self._longest = max(self._longest, lag)
