"""What a run found, in numbers: of all its findings, whether or not the page has room for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple
from typing import TYPE_CHECKING

from auditor.model import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.model import Cost, Finding, Waived

OPEN, WAIVED, RESOLVED = "open", "waived", "resolved"
"""Where a finding stands, for whoever counts: `open` is neither waived nor resolved."""

_MOST = 1_000
"""Policies, prices or waivers that are told apart; what comes after them is added up as one."""
OTHERS = "(others)"


class Counts:
    """Counts findings as they come."""

    def __init__(self) -> None:
        self.total = 0
        self.by_standing: Counter[tuple[Severity, str]] = Counter()
        self.by_status: Counter[Status] = Counter()
        """Waived ones included."""
        self.by_policy: Counter[str] = Counter()
        """Open ones."""
        self.cost_by_policy: Counter[str] = Counter()
        """US dollars a month of what is neither waived nor resolved, times 10,000: whole numbers add up exactly."""
        self.cost_by_account: Counter[str] = Counter()
        self.names: dict[str, str] = {}
        """The name of each account that costs are told of."""
        self.prices: Counter[tuple[str, str]] = Counter()
        """Where the prices are from, and when they were looked up."""
        self.waivers: Counter[tuple[str, str, str | None, str]] = Counter()
        """Owner, reason, ticket and end of each waiver, and how many findings it covers."""

    def add(self, findings: Iterable[Finding]) -> None:
        """Count them."""
        for finding in findings:
            how = standing(finding)
            self.total += 1
            self.by_standing[finding.severity, how] += 1
            self.by_status[finding.status] += 1
            if how == OPEN:
                _count(self.by_policy, finding.policy)
                if finding.cost is not None:
                    self._costs(finding, finding.cost)
            if finding.waiver is not None and how == WAIVED:
                self._waived(finding.waiver)

    def of(self, how: str) -> int:
        """Return how many stand like this."""
        return sum(count for (_, each), count in self.by_standing.items() if each == how)

    def _costs(self, finding: Finding, cost: Cost) -> None:
        amount = round(cost.monthly_usd * 10_000)
        _count(self.cost_by_policy, finding.policy, amount)
        self.cost_by_account[finding.account_id] += amount
        if finding.account_name:
            self.names[finding.account_id] = finding.account_name[:200]
        source = (cost.price_source, cost.price_date)
        if source in self.prices or len(self.prices) < _MOST:
            self.prices[source] += 1

    def _waived(self, waiver: Waived) -> None:
        told: tuple[str, str, str | None, str] = astuple(waiver)
        if told not in self.waivers and len(self.waivers) >= _MOST:
            told = (OTHERS, "", None, "")
        self.waivers[told] += 1


def standing(finding: Finding) -> str:
    """Say where a finding stands."""
    if finding.status is Status.RESOLVED:
        return RESOLVED
    return WAIVED if finding.waiver is not None else OPEN


def _count(counter: Counter[str], name: str, amount: int = 1) -> None:
    counter[name if name in counter or len(counter) < _MOST else OTHERS] += amount
