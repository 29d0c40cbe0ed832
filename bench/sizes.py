"""How large the scenarios are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many accounts each scenario has; in every Region of the benchmark, but for c7n-org's."""

    accounts: int
    slow_accounts: int
    """For the clients that take many times as long: they are compared by the page."""
    memory_accounts: tuple[int, int]
    c7n_accounts: int
    shared_accounts: int
    """For two workers: starting them takes as long as a few hundred pages."""
    listed: int
    """Accounts of the organisation that is listed."""
    findings: int
    """That go through the history."""
    reported: int
    """In the report."""
    beside_throttled: int
    """Accounts, two of which are throttled."""
    budget: tuple[float, int, float]
    """Requests a second, pages a target, and over how many seconds each the rate is looked at."""
    net: bool
    """Whether starting up is measured and subtracted: of a few pages nothing would be left but noise."""


FULL = Sizes(
    accounts=100,
    slow_accounts=10,
    memory_accounts=(50, 800),
    c7n_accounts=20,
    shared_accounts=400,
    listed=5000,
    findings=100_000,
    reported=10_000,
    beside_throttled=1_000,
    budget=(10.0, 25, 10.0),
    net=True,
)
QUICK = Sizes(
    accounts=3,
    slow_accounts=1,
    memory_accounts=(2, 8),
    c7n_accounts=1,
    shared_accounts=6,
    listed=50,
    findings=4_000,
    reported=200,
    beside_throttled=12,
    budget=(40.0, 12, 3.0),
    net=False,
)
