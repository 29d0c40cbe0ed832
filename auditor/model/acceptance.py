"""What somebody has accepted, as it stands beside what was accepted: who answers for it, why, and until when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waived:
    """Why a finding does not count: its `waiver`."""

    owner: str
    reason: str
    ticket: str | None
    until: str
    """The last day on which it holds, in UTC: YYYY-MM-DD."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Why a gap does not count against the coverage after accepted gaps: its `accepted`."""

    owner: str
    explanation: str
    until: str
    """The last day on which it holds, in UTC: YYYY-MM-DD."""
