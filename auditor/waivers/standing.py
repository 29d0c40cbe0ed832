"""Where a waiver or an accepted gap stands on a day: it holds to the end of its last day in UTC."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from auditor.config import Config

SOON = 14
"""Days before its end in which it is announced."""


class Standing(Enum):
    """How long it still holds."""

    HOLDS = "holds"
    ENDS_SOON = "ends soon"
    """It holds, and ends within `SOON` days."""
    ENDED = "ended"


def standing(until: date, today: date) -> Standing:
    """Return where what holds until `until` stands on the day `today`, both in UTC."""
    left = (until - today).days
    if left < 0:
        return Standing.ENDED
    return Standing.ENDS_SOON if left <= SOON else Standing.HOLDS


def ended(config: Config, today: date) -> Iterator[str]:
    """Yield in words, each with its place, what no longer holds on the day `today`, in UTC."""
    for name, rules in (("waiver", config.waivers), ("accepted gap", config.accepted_gaps)):
        for rule in rules:
            if standing(rule.until, today) is Standing.ENDED:
                yield (
                    f"{config.path}:{rule.line}: this {name} ended on {rule.until} and no longer holds; "
                    "renew it, or remove it"
                )
