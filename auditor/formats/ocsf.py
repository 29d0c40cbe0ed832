"""OCSF: Compliance Finding events (class 2003), one a line, in the version that the receiver speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.contract import Format
from auditor.formats.encoding import encoded_line
from auditor.formats.gaps import accepted_text, gaps, scope_text
from auditor.formats.text import cut, milliseconds
from auditor.model import ResolutionKind, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.gaps import Gap
    from auditor.formats.start import RunStart
    from auditor.model import Finding

# https://schema.ocsf.io/classes/compliance_finding
_CATEGORY, _CLASS = 2, 2003
_LONGEST = 65_535
"""Characters of a text: what 1.3.0 takes; later versions set no bound."""
_OLDEST = "1.3.0"
_AWS_ACCOUNT = {"type_id": 10, "type": "AWS Account"}

_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_ACTIVITIES = {
    Status.UNTRACKED: _CREATE,
    Status.NEW: _CREATE,
    Status.RECURRING: _UPDATE,
    Status.REOPENED: _UPDATE,  # the finding that was closed, under the same uid
    Status.NOT_SEEN: _UPDATE,
    Status.RESOLVED: _CLOSE,
}
_UNKNOWN = (0, "Unknown")
# Whether somebody works on it is not known here, so that one that stays is as open as on its first day.
_OPEN = (1, "New")
_SUPPRESSED, _RESOLVED, _ARCHIVED = (3, "Suppressed"), (4, "Resolved"), (5, "Archived")
_ARCHIVED_OF_OLD = (99, "Archived")
_PASS, _FAIL = (1, "Pass"), (3, "Fail")
_COMPLIANCE_AT_ITS_END = {
    # Only what was looked at and keeps the policy passes it.
    ResolutionKind.CONDITION_CLEARED: _PASS,
    ResolutionKind.RESOURCE_GONE: (99, "Resource Gone"),
    ResolutionKind.POLICY_CHANGED: (99, "Policy Changed"),
}
_SEVERITIES = {
    Severity.CRITICAL: (5, "Critical"),
    Severity.HIGH: (4, "High"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.LOW: (2, "Low"),
    Severity.INFO: (1, "Informational"),
}


class OutputFormat(Format):
    """OCSF Compliance Findings, an event a line, for a SIEM or a data lake."""

    file_name = "findings.ocsf.jsonl"
    variants = ("1.8.0", "1.6.0", "1.3.0", "1.8", "1.6", "1.3")

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        super().__init__(start, variant)
        self._version = next(each for each in self.variants if each.startswith(str(self.variant)))
        self._scope = {"kind": "subset" if start.is_subset else "full", "filters": start.filters}

    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return an event for each."""
        return b"".join(encoded_line(self._of_finding(finding)) for finding in findings)

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield an event for each gap, of which it is unknown whether it complies."""
        time = milliseconds(run["finished_at"])
        for gap in gaps(self.start, coverage):
            yield encoded_line(self._of_gap(gap, time))

    def _of_finding(self, finding: Finding) -> dict[str, Any]:
        time = milliseconds(finding.observed_at)
        policy = self.start.policies.get(finding.policy)
        seen: dict[str, Any] = {}
        if finding.status is not Status.UNTRACKED and finding.first_seen is not None:
            seen["first_seen_time"] = milliseconds(finding.first_seen)
        if finding.status not in {Status.NOT_SEEN, Status.RESOLVED}:
            seen["last_seen_time"] = time
        detail = finding.resolution.why if finding.resolution is not None else None
        return {
            **self._event(
                activity=_ACTIVITIES[finding.status],
                severity=_SEVERITIES[finding.severity],
                status=self._status(finding),
                time=time,
                uid=finding.event_id,
            ),
            "message": cut(finding.message, _LONGEST),
            "status_detail": cut(f"{finding.status}: {detail}" if detail else finding.status, _LONGEST),
            "finding_info": {
                "uid": finding.finding_id,
                "title": cut(policy.title if policy else finding.policy, _LONGEST),
                "desc": cut(policy.description if policy else finding.message, _LONGEST),
                "types": ["Compliance"],
                "analytic": {
                    "uid": finding.policy,
                    "name": finding.policy,
                    "type_id": 1,
                    "type": "Rule",
                    **({"version": policy.version} if policy else {}),
                },
                "created_time": milliseconds(finding.first_seen or finding.observed_at),
                "modified_time": time,
                **seen,
            },
            "compliance": self._compliance(
                finding.policy,
                _compliance_status(finding),
                detail,
                [control.framework for control in finding.controls],
                [f"{control.framework} {control.id}" for control in finding.controls],
            ),
            "remediation": {"desc": cut(finding.remediation, _LONGEST)},
            "cloud": _cloud(finding.account_id, finding.account_name, finding.region),
            "resources": [
                {
                    "uid": cut(finding.resource_arn, _LONGEST),
                    **({"name": cut(finding.resource_name, _LONGEST)} if finding.resource_name else {}),
                    **({"type": cut(finding.resource_type, _LONGEST)} if finding.resource_type else {}),
                    "region": finding.region,
                    "cloud_partition": finding.partition,
                }
            ],
            "unmapped": {
                "auditor_status": finding.status,
                "resolution": finding.resolution,
                "waiver": finding.waiver,
                "evidence": finding.evidence,
                "related": finding.related,
                "cost": finding.cost,
                "controls": list(finding.controls),
                "scope": self._scope,
            },
        }

    def _of_gap(self, gap: Gap, time: int) -> dict[str, Any]:
        accepted = accepted_text(gap.accepted) if gap.accepted else None
        return {
            **self._event(
                activity=_CREATE,
                severity=_UNKNOWN,
                status=_SUPPRESSED if accepted else _UNKNOWN,
                time=time,
                uid=gap.event_id,
            ),
            "message": cut(gap.text, _LONGEST),
            "status_detail": cut(accepted or f"coverage gap: {gap.reason or gap.kind}", _LONGEST),
            "finding_info": {
                "uid": gap.part_id,
                "title": gap.title,
                "desc": cut(gap.text, _LONGEST),
                "types": ["Coverage gap"],
                "created_time": time,
                "modified_time": time,
            },
            "compliance": self._compliance(gap.policy, _UNKNOWN, gap.text, [], []),
            "cloud": _cloud(gap.account_id, gap.account_name, gap.region),
            "unmapped": {"gap": gap, "scope": self._scope, "scope_text": scope_text(self.start)},
        }

    def _event(
        self,
        *,
        activity: tuple[int, str],
        severity: tuple[int, str],
        status: tuple[int, str],
        time: int,
        uid: str,
    ) -> dict[str, Any]:
        """Return what every event has."""
        return {
            "activity_id": activity[0],
            "activity_name": activity[1],
            "category_uid": _CATEGORY,
            "category_name": "Findings",
            "class_uid": _CLASS,
            "class_name": "Compliance Finding",
            "type_uid": _CLASS * 100 + activity[0],
            "type_name": f"Compliance Finding: {activity[1]}",
            "severity_id": severity[0],
            "severity": severity[1],
            "status_id": status[0],
            "status": status[1],
            "time": time,
            "metadata": {
                "version": self._version,
                "product": {
                    "name": "auditor",
                    "vendor_name": "auditor",
                    "version": self.start.auditor_version,
                },
                "profiles": ["cloud"],
                "uid": uid,
                "correlation_uid": self.start.run_id,
            },
        }

    def _status(self, finding: Finding) -> tuple[int, str]:
        if finding.status is Status.RESOLVED:
            kind = finding.resolution and finding.resolution.kind
            if kind in {ResolutionKind.RETIRED, ResolutionKind.POLICY_CHANGED}:
                return _ARCHIVED_OF_OLD if self._version == _OLDEST else _ARCHIVED
            return _RESOLVED
        if finding.waiver is not None:
            return _SUPPRESSED
        return _UNKNOWN if finding.status is Status.NOT_SEEN else _OPEN

    def _compliance(
        self,
        policy: str | None,
        status: tuple[int, str],
        detail: str | None,
        standards: Sequence[str],
        requirements: Sequence[str],
    ) -> dict[str, Any]:
        why: dict[str, Any] = {}
        if detail:
            text = cut(detail, _LONGEST)
            why = {"status_detail": text} if self._version == _OLDEST else {"status_details": [text]}
        return {
            "status_id": status[0],
            "status": status[1],
            **({"control": policy} if policy else {}),
            # 1.3.0 asks for one at the least: where no framework is cited, the rules are our own.
            "standards": [cut(each, _LONGEST) for each in dict.fromkeys(standards)] or ["auditor"],
            "requirements": [cut(each, _LONGEST) for each in requirements],
            **why,
        }


def _compliance_status(finding: Finding) -> tuple[int, str]:
    if finding.status is Status.NOT_SEEN:
        return _UNKNOWN
    if finding.status is not Status.RESOLVED:
        return _FAIL
    kind = finding.resolution and finding.resolution.kind
    return _COMPLIANCE_AT_ITS_END.get(kind, _UNKNOWN) if kind else _UNKNOWN


def _cloud(account_id: str | None, account_name: str | None, region: str | None) -> dict[str, Any]:
    account: dict[str, Any] = {}
    if account_id is not None:
        name = {"name": cut(account_name, _LONGEST)} if account_name else {}
        account = {"account": {"uid": account_id, **name, **_AWS_ACCOUNT}}
    return {"provider": "AWS", **account, **({"region": region} if region else {})}
