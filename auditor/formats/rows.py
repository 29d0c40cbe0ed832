"""A run as rows of one table: findings, then what was not seen, then the run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.encoding import encoded
from auditor.formats.gaps import accepted_text, gaps, scope_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.formats.gaps import Gap
    from auditor.formats.start import RunStart
    from auditor.model import Finding

TEXTS = (
    "kind",
    "id",
    "event_id",
    "policy",
    "severity",
    "status",
    "partition",
    "account_id",
    "account_name",
    "region",
    "resource_arn",
    "resource_type",
    "resource_name",
    "message",
    "remediation",
    "source",
    "verdict",
    "reason",
    "error_code",
    "error_message",
    "waiver",
    "accepted",
    "resolution",
    "resolution_why",
    "related",
    "evidence",
    "controls",
    "cost",
    "scope",
    "run_id",
    "gap_id",
)
"""Columns of text, in which `related`, `evidence`, `controls`, `cost` and `waiver` are JSON.

`id` is a finding's, or that of a target's part in a gap, whose own id, which destinations are told too, is `gap_id`.
`kind` is `finding`; `gap` for what was not seen; or `run`, once and last, with the run's scope and whether it saw all.
"""
NUMBERS = ("unjudged_records", "coverage_percent")
TIMES = ("first_seen", "observed_at")
COLUMNS = (*TEXTS, *NUMBERS, *TIMES)

Row = dict[str, Any]


def finding_row(finding: Finding, scope: str) -> Row:
    """Return a finding's row; the columns that it does not have are missing."""
    resolution = finding.resolution
    return {
        "kind": "finding",
        "id": finding.finding_id,
        "event_id": finding.event_id,
        "policy": finding.policy,
        "severity": finding.severity.value,
        "status": finding.status.value,
        "partition": finding.partition,
        "account_id": finding.account_id,
        "account_name": finding.account_name,
        "region": finding.region,
        "resource_arn": finding.resource_arn,
        "resource_type": finding.resource_type,
        "resource_name": finding.resource_name,
        "message": finding.message,
        "remediation": finding.remediation,
        "waiver": _json(finding.waiver),
        "resolution": resolution.kind.value if resolution is not None and resolution.kind else None,
        "resolution_why": resolution.why if resolution is not None else None,
        "related": _json(finding.related),
        "evidence": _json(finding.evidence),
        "controls": _json(list(finding.controls)),
        "cost": _json(finding.cost),
        "scope": scope,
        "run_id": finding.run_id,
        "first_seen": finding.first_seen,
        "observed_at": finding.observed_at,
    }


def rows_at_the_end(
    start: RunStart, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]
) -> Iterator[Row]:
    """Yield a row for each gap, and that of the run."""
    whole = True
    for gap in gaps(start, coverage):
        whole = False
        yield _gap_row(gap, start, run)
    yield {
        "kind": "run",
        "message": "everything planned was read and judged"
        if whole
        else "not everything was seen: see the gaps",
        "verdict": "complete" if whole else "partial",
        "scope": scope_text(start),
        "run_id": start.run_id,
        "coverage_percent": run["coverage_percent"],
        "observed_at": run["finished_at"],
    }


def _gap_row(gap: Gap, start: RunStart, run: Mapping[str, Any]) -> Row:
    return {
        "kind": "gap",
        "id": gap.part_id,
        "gap_id": gap.gap_id,
        "event_id": gap.event_id,
        "policy": gap.policy,
        "account_id": gap.account_id,
        "account_name": gap.account_name,
        "region": gap.region,
        "message": gap.text,
        "source": gap.source,
        "verdict": gap.verdict,
        "reason": gap.reason or gap.kind.value,
        "error_code": gap.error_code,
        "error_message": gap.error_message,
        "accepted": accepted_text(gap.accepted) if gap.accepted else None,
        "scope": scope_text(start),
        "run_id": start.run_id,
        "unjudged_records": gap.records,
        "observed_at": run["finished_at"],
    }


def _json(value: Any) -> str | None:
    return None if value is None else encoded(value).decode()
