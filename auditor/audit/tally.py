"""What a run counts: records, states that AWS does not document, what could not be judged, and findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.model import KNOWN_STATES, Status, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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
    unknown_states: dict[str, int] = field(default_factory=dict)
    unjudged: dict[str, int] = field(default_factory=dict)
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
        self._could_not_judge(judge.unjudged, judge.unjudged_records)

    def add(self, others: Counts) -> None:
        """Add what was counted of one account and Region."""
        self.records += others.records
        for state, count in others.unknown_states.items():
            self._saw(state, count)
        self._could_not_judge(others.unjudged, others.unjudged_records)

    def _saw(self, state: str, count: int) -> None:
        known = state in self.unknown_states or len(self.unknown_states) < _MOST_STATES
        counted = state if known else _OTHERS
        self.unknown_states[counted] = self.unknown_states.get(counted, 0) + count

    def _could_not_judge(self, policies: Mapping[str, int], records: int) -> None:
        for policy_id, count in policies.items():
            self.unjudged[policy_id] = self.unjudged.get(policy_id, 0) + count
        self.unjudged_records += records


class Tally(Counts):
    """The counts of one run."""

    def __init__(self) -> None:
        super().__init__()
        self.findings = 0
        self.by_kind: Counter[tuple[Severity, str]] = Counter()
        """By severity and policy, waived ones included; without those that are resolved."""
        self.waived: Counter[tuple[Severity, str]] = Counter()
        """Of these, the waived ones."""
        self.new: Counter[tuple[Severity, str]] = Counter()
        """Of these, those that were not open before this run, waived ones included."""
        self._counting: Counter[tuple[Severity, Status]] = Counter()
        """Those that are neither waived nor resolved, by severity and status: what may make a run fail."""
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
            kind = (finding.severity, finding.policy)
            self.by_kind[kind] += 1
            if finding.status in _NEW:
                self.new[kind] += 1
            if finding.waiver is not None:
                self.waived[kind] += 1
            else:
                self._counting[finding.severity, finding.status] += 1

    def at_least(self, severity: Severity) -> int:
        """Return how many findings that are neither waived nor resolved are as grave as `severity`, or graver."""
        return self._at_least(severity, tuple(Status))

    def new_at_least(self, severity: Severity) -> int:
        """Return how many of these were not open before this run."""
        return self._at_least(severity, _NEW)

    def untold_at_least(self, severity: Severity) -> int:
        """Return how many of these may be new, for all that is known."""
        return self._at_least(severity, (Status.UNTRACKED,))

    def _at_least(self, severity: Severity, statuses: Collection[Status]) -> int:
        return sum(
            count
            for (found, status), count in self._counting.items()
            if status in statuses and found.at_least(severity)
        )

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
