"""Medians with their spread, what a scenario reports, and how a measured ratio stands to its limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some runs, between the least and the largest."""

    median: float
    least: float
    largest: float

    def shown(self, digits: int) -> str:
        """Return it as `median (least-largest)`, or alone where nothing varies."""
        if self.least == self.largest:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.least:.{digits}f}-{self.largest:.{digits}f})"


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of at least one value."""
    known = list(values)
    return Spread(median(known), min(known), max(known))


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate in one scenario; what is None was not measured in it."""

    candidate: str
    accounts: int
    pages: int
    requests: int
    cpu_ms_a_page: Spread
    net_cpu_ms_a_page: Spread | None
    """Without what starting up takes."""
    wall_s: Spread
    rss_mb: Spread
    first_page_s: Spread
    server_busy: Spread
    """The server's CPU time as a share of the wall: near 1, it was the server that was measured."""
    to_floor: Spread | None
    """CPU a page, as a multiple of the floor's in the same round."""
    net_to_floor: Spread | None
    """The same of the net figures: what compares clients that read different numbers of accounts."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the issue beside what was measured."""

    what: str
    measured: Spread
    limit: float
    unit: str = "x"
    at_least: bool = False
    """Whether it is the least that is allowed, and not the most."""

    @property
    def met(self) -> bool:
        """Whether the median keeps the limit."""
        if self.at_least:
            return self.measured.median >= self.limit
        return self.measured.median <= self.limit


@dataclass(frozen=True, slots=True)
class AtLeast(Limit):
    """A limit that what was measured is to reach."""

    @property
    def met(self) -> bool:
        """Whether the median reaches it."""
        return self.measured.median >= self.limit


@dataclass(slots=True)
class Result:
    """What one scenario found."""

    scenario: str
    about: str
    rows: list[Row] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
