"""What receivers are told, and who they are to the outbox."""

from __future__ import annotations

from dataclasses import dataclass

FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver as the outbox knows it."""

    name: str
    changes_only: bool = False
    """Whether it is not told of what is merely recurring."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that receivers are told."""

    event_id: str
    """What a receiver drops the second copy by."""
    kind: str
    """`finding`, or what else is told of a run."""
    body: bytes
    """JSON."""
    finding_id: str | None = None
    """What it is about: events about one finding are sent in their order."""


@dataclass(frozen=True, slots=True)
class Due:
    """An event that a destination has not taken yet."""

    position: int
    event: Event
    run_id: str
    attempts: int
    last_error: str | None
    said_at: str | None = None
    """When the run began that says so, as RFC 3339: a finding that is gone was last observed before it."""
