"""How large the scenarios are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many accounts each scenario has; all in every Region of the benchmark."""

    accounts: int
    slow_accounts: int
    """For the clients that take many times as long: they are compared by the page."""
    memory_accounts: tuple[int, int]
    shared_accounts: int
    """For two workers: starting them takes as long as a few hundred pages."""
    listed: int
    """Accounts of the organisation that is listed."""
    findings: int
    """That go through the history."""
    reported: int
    """In the report."""
    net: bool
    """Whether starting up is measured and subtracted: of a few pages nothing would be left but noise."""


FULL = Sizes(
    accounts=100,
    slow_accounts=10,
    memory_accounts=(50, 800),
    shared_accounts=400,
    listed=5000,
    findings=100_000,
    reported=10_000,
    net=True,
)
QUICK = Sizes(
    accounts=3,
    slow_accounts=1,
    memory_accounts=(2, 8),
    shared_accounts=6,
    listed=50,
    findings=4_000,
    reported=200,
    net=False,
)
