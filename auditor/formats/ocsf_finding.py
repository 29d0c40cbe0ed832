"""A finding as an OCSF Compliance Finding, its activity and status those of its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.ocsf_event import (
    CLOSE,
    COMPLIANCE_FINDING,
    CREATE,
    LONGEST,
    UNKNOWN,
    UPDATE,
    cloud,
    compliance,
    event,
)
from auditor.formats.text import cut, milliseconds
from auditor.model import ResolutionKind, Severity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.formats.ocsf_event import Caption, Dialect
    from auditor.model import Finding

_ACTIVITIES = {
    Status.UNTRACKED: CREATE,
    Status.NEW: CREATE,
    Status.RECURRING: UPDATE,
    Status.REOPENED: UPDATE,  # the finding that was closed, under the same uid
    Status.NOT_SEEN: UPDATE,
    Status.RESOLVED: CLOSE,
}
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


def finding_event(
    dialect: Dialect, finding: Finding, said_at: str, beside: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the event that tells of a finding.

    :param said_at: when the run began that says so: a finding that is gone was last observed before it.
    :param beside: what else is to stand under `unmapped`.
    """
    time = milliseconds(said_at)
    policy = dialect.policies.get(finding.policy)
    seen: dict[str, Any] = {}
    if finding.status is not Status.UNTRACKED and finding.first_seen is not None:
        seen["first_seen_time"] = milliseconds(finding.first_seen)
    seen["last_seen_time"] = milliseconds(finding.observed_at)
    detail = finding.resolution.why if finding.resolution is not None else None
    return {
        **event(
            dialect,
            COMPLIANCE_FINDING,
            activity=_ACTIVITIES[finding.status],
            severity=_SEVERITIES[finding.severity],
            status=_status(dialect, finding),
            time=time,
            uid=finding.event_id,
            run_id=finding.run_id,
        ),
        "message": cut(finding.message, LONGEST),
        "status_detail": cut(f"{finding.status}: {detail}" if detail else finding.status, LONGEST),
        "finding_info": {
            "uid": finding.finding_id,
            "title": cut(policy.title if policy else finding.policy, LONGEST),
            "desc": cut(policy.description if policy else finding.message, LONGEST),
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
        "compliance": compliance(
            dialect,
            finding.policy,
            _compliance_status(finding),
            detail,
            [control.framework for control in finding.controls],
            [f"{control.framework} {control.id}" for control in finding.controls],
        ),
        "remediation": {"desc": cut(finding.remediation, LONGEST)},
        "cloud": cloud(finding.account_id, finding.account_name, finding.region),
        "resources": [
            {
                "uid": cut(finding.resource_arn, LONGEST),
                **({"name": cut(finding.resource_name, LONGEST)} if finding.resource_name else {}),
                **({"type": cut(finding.resource_type, LONGEST)} if finding.resource_type else {}),
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
            **beside,
        },
    }


def _status(dialect: Dialect, finding: Finding) -> Caption:
    if finding.status is Status.RESOLVED:
        kind = finding.resolution and finding.resolution.kind
        if kind in {ResolutionKind.RETIRED, ResolutionKind.POLICY_CHANGED}:
            return _ARCHIVED_OF_OLD if dialect.is_oldest else _ARCHIVED
        return _RESOLVED
    if finding.waiver is not None:
        return _SUPPRESSED
    return UNKNOWN if finding.status is Status.NOT_SEEN else _OPEN


def _compliance_status(finding: Finding) -> Caption:
    if finding.status is Status.NOT_SEEN:
        return UNKNOWN
    if finding.status is not Status.RESOLVED:
        return _FAIL
    kind = finding.resolution and finding.resolution.kind
    return _COMPLIANCE_AT_ITS_END.get(kind, UNKNOWN) if kind else UNKNOWN
