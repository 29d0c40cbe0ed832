"""What a run counts: records, states that AWS does not document, what could not be judged, and findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.model import KNOWN_STATES, Status, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.model import ExportRecord, Finding, Severity
    from auditor.policies import TargetJudge

_MOST_STATES = 100
"""Different unknown states that are counted apart; a hostile account could invent one a record."""
_OTHERS = "(others)"
_NEW = (Status.NEW, Status.REOPENED)
"""What was not open before this run."""


@dataclass(slots=True)
class Counts:
    """What is counted of records: of one account and Region, or of a run."""

    records: int = 0
    unknown_states: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    """Policy → number of records that it could not judge."""
    unjudged_records: int = 0
    """Records that at least one policy could not judge."""

    def read(self, records: Sequence[ExportRecord]) -> None:
        """Count the records of a page."""
        self.records += len(records)
        for record in records:
            state = record.raw.get("state")
            # A record without a state is unjudged by the policies that need one, and counted as that.
            if isinstance(state, str) and state not in KNOWN_STATES and state:
                self._saw(shown(state)[:100], 1)

    def judged(self, judge: TargetJudge) -> None:
        """Count what the judge of one target could not judge."""
        self.unjudged.update(judge.unjudged)
        self.unjudged_records += judge.unjudged_records

    def add(self, others: Counts) -> None:
        """Add what was counted of one account and Region."""
        self.records += others.records
        for state, count in others.unknown_states.items():
            self._saw(state, count)
        self.unjudged.update(others.unjudged)
        self.unjudged_records += others.unjudged_records

    def _saw(self, state: str, count: int) -> None:
        known = state in self.unknown_states or len(self.unknown_states) < _MOST_STATES
        self.unknown_states[state if known else _OTHERS] += count


class Tally(Counts):
    """The counts of one run."""

    def __init__(self) -> None:
        super().__init__()
        self.findings = 0
        self.by_kind: Counter[tuple[Severity, str]] = Counter()
        """By severity and policy, waived ones included; without those that are resolved."""
        self.waived: Counter[tuple[Severity, str]] = Counter()
        """Of these, the waived ones."""
        self.new: Counter[Severity] = Counter()
        """Those that are new, or reopened, and not waived."""
        self.untold: Counter[Severity] = Counter()
        """Those of which nothing tells whether they are new, and not waived."""
        self.by_status: Counter[str] = Counter()
        self._by_policy: Counter[str] = Counter()
        self._by_severity: Counter[str] = Counter()
        self._waived = 0

    def found(self, findings: Iterable[Finding]) -> None:
        """Count findings."""
        for finding in findings:
            self.findings += 1
            self.by_status[finding.status] += 1
            self._by_policy[finding.policy] += 1
            self._by_severity[finding.severity.value] += 1
            self._waived += finding.waiver is not None
            if finding.status is Status.RESOLVED:
                continue
            self.by_kind[finding.severity, finding.policy] += 1
            if finding.waiver is not None:
                self.waived[finding.severity, finding.policy] += 1
            elif finding.status in _NEW:
                self.new[finding.severity] += 1
            elif finding.status is Status.UNTRACKED:
                self.untold[finding.severity] += 1

    def at_least(self, severity: Severity) -> int:
        """Return how many findings that are neither waived nor resolved are as grave as `severity`, or graver."""
        unwaived = self.by_kind - self.waived
        return sum(count for (found, _), count in unwaived.items() if found.at_least(severity))

    def new_at_least(self, severity: Severity) -> int:
        """Return how many of these were not open before this run."""
        return _at_least(severity, self.new)

    def untold_at_least(self, severity: Severity) -> int:
        """Return how many of these may be new, for all that is known."""
        return _at_least(severity, self.untold)

    def totals(self) -> dict[str, Any]:
        """Return these counts as run.json has them; resolved findings are among those told of."""
        return {
            "records": self.records,
            "unknown_states": dict(self.unknown_states),
            "unjudged": {"records": self.unjudged_records, "by_policy": dict(self.unjudged)},
            "findings": {
                "total": self.findings,
                "by_policy": dict(self._by_policy),
                "by_severity": dict(self._by_severity),
                "by_status": dict(self.by_status),
                "waived": self._waived,
            },
        }


def _at_least(severity: Severity, counts: Counter[Severity]) -> int:
    return sum(count for found, count in counts.items() if found.at_least(severity))
