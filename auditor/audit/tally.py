"""What a run counts: records, states that AWS does not document, what could not be judged, and findings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from auditor.model import KNOWN_STATES, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.model import ExportRecord, Finding, Severity
    from auditor.policies import TargetJudge

_MOST_STATES = 100
"""Different unknown states that are counted apart; a hostile account could invent one a record."""


class Tally:
    """The counts of one run."""

    def __init__(self) -> None:
        self.records = 0
        self.unknown_states: Counter[str] = Counter()
        self.unjudged: Counter[str] = Counter()
        self.unjudged_records = 0
        self.findings = 0
        self.by_kind: Counter[tuple[Severity, str]] = Counter()
        """By severity and policy, waived ones included."""
        self.waived: Counter[tuple[Severity, str]] = Counter()
        """Of these, the waived ones."""
        self.by_status: Counter[str] = Counter()

    def read(self, records: Sequence[ExportRecord]) -> None:
        """Count the records of a page."""
        self.records += len(records)
        for record in records:
            state = record.raw.get("state")
            # A record without a state is unjudged by the policies that need one, and counted as that.
            if isinstance(state, str) and state not in KNOWN_STATES and state:
                known = state in self.unknown_states or len(self.unknown_states) < _MOST_STATES
                self.unknown_states[shown(state)[:100] if known else "(others)"] += 1

    def found(self, findings: Iterable[Finding]) -> None:
        """Count findings."""
        for finding in findings:
            self.findings += 1
            self.by_kind[finding.severity, finding.policy] += 1
            self.by_status[finding.status] += 1
            if finding.waiver is not None:
                self.waived[finding.severity, finding.policy] += 1

    def judged(self, judge: TargetJudge) -> None:
        """Count what the judge of one target could not judge."""
        self.unjudged.update(judge.unjudged)
        self.unjudged_records += judge.unjudged_records

    def at_least(self, severity: Severity) -> int:
        """Return how many findings that are not waived are as grave as `severity`, or graver."""
        unwaived = self.by_kind - self.waived
        return sum(count for (found, _), count in unwaived.items() if found.at_least(severity))

    def totals(self) -> dict[str, Any]:
        """Return these counts as run.json has them."""
        by_policy: Counter[str] = Counter()
        by_severity: Counter[str] = Counter()
        for (severity, policy), count in self.by_kind.items():
            by_policy[policy] += count
            by_severity[severity.value] += count
        return {
            "records": self.records,
            "unknown_states": dict(self.unknown_states),
            "unjudged": {"records": self.unjudged_records, "by_policy": dict(self.unjudged)},
            "findings": {
                "total": self.findings,
                "by_policy": dict(by_policy),
                "by_severity": dict(by_severity),
                "by_status": dict(self.by_status),
                "waived": self.waived.total(),
            },
        }
