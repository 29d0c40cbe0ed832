"""Runs made by hand, for every format: findings of every status, gaps of every kind, and text that is hostile."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auditor.formats import JudgedPolicy, RunStart, formats
from auditor.model import (
    Control,
    Cost,
    Finding,
    Resolution,
    ResolutionKind,
    Severity,
    Status,
    Waived,
    event_id,
    finding_id,
    gap_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.formats import Format

HOSTILE = "\x1b[2J\u2028\x85\u202e\x7f\U000e0001 =1+1 <b>|`x`](http://e) ]]>&amp;\r\n\0\ufffe\ud800"
"""Text as an account's owner may choose it: a terminal, a spreadsheet, a page and a parser each find their own."""
CONFIG = "conf/accounts.yaml"
ACCOUNT = "111122223333"


def policy(name: str = "stuck-export", **fields: Any) -> JudgedPolicy:
    usual = JudgedPolicy(
        id=name,
        title="An export to EC2 that started, and never came to an end.",
        description="AWS reports none that hangs.",
        page="An export to EC2 that started, and never came to an end.\n\nWhy\n    AWS reports none that hangs.\n",
        settings={"enabled": True, "max_age": "P1D"},
        remediation="Look the operation up in Lightsail.",
        controls=(Control("NIST SP 800-53 r5", "CM-8", "organisational"),),
        severity=Severity.MEDIUM,
        version="abc123",
        line=7,
    )
    return dataclasses.replace(usual, **fields)


START = RunStart(
    run_id="20250301T120000Z-00000000",
    started_at="2025-03-01T12:00:00Z",
    auditor_version="0.1.0",
    is_subset=False,
    filters={"policies": (), "accounts": (), "regions": ()},
    config_path=CONFIG,
    policies={name: policy(name) for name in ("stuck-export", "public-export")},
)
SUBSET = dataclasses.replace(
    START, is_subset=True, filters={"policies": (), "accounts": (ACCOUNT,), "regions": ("eu-west-1",)}
)


def finding(name: str = "export-1", **fields: Any) -> Finding:
    """One finding, its ids made as a run makes them."""
    arn = f"arn:aws:lightsail:us-east-1:{ACCOUNT}:ExportSnapshotRecord/{name}"
    usual = Finding(
        schema="auditor.finding/1",
        finding_id="",
        event_id="",
        policy="stuck-export",
        severity=Severity.MEDIUM,
        status=Status.UNTRACKED,
        partition="aws",
        account_id=ACCOUNT,
        account_name=None,
        region="us-east-1",
        resource_arn=arn,
        resource_type="ExportSnapshotRecord",
        resource_name=name,
        related={"record_arn": arn, "state": None},
        message="It started and has not ended.",
        remediation="Look.",
        evidence={"disks": [{"path": "/dev/xvda", "size_gb": 700}]},
        controls=(Control("NIST SP 800-53 r5", "CM-8", "organisational"),),
        cost=None,
        waiver=None,
        resolution=None,
        first_seen=None,
        observed_at="2025-03-01T12:00:00Z",
        run_id=START.run_id,
    )
    made = dataclasses.replace(usual, **fields)
    known_as = finding_id(made.partition, made.account_id, made.region, made.resource_arn, made.policy)
    return dataclasses.replace(
        made, finding_id=known_as, event_id=event_id(known_as, made.run_id, made.status)
    )


FIRST_SEEN = "2025-02-01T12:00:00Z"
WAIVED = Waived("data-platform", "Kept for the auditors.", "OPS-1", "2025-06-30")


def in_status(status: Status, kind: ResolutionKind | None = None, **fields: Any) -> Finding:
    """One finding of this status, with what belongs to it."""
    ended = status in {Status.NOT_SEEN, Status.RESOLVED}
    why = "its account could not be read" if kind is None else "as the history tells"
    return finding(
        f"{status}-{kind}",
        status=status,
        resolution=Resolution(kind, why) if ended else None,
        first_seen=None if status is Status.UNTRACKED else FIRST_SEEN,
        **fields,
    )


EVERY_STATUS: Mapping[str, Finding] = {
    **{
        status.value: in_status(status)
        for status in (Status.UNTRACKED, Status.NEW, Status.RECURRING, Status.REOPENED, Status.NOT_SEEN)
    },
    **{kind.value: in_status(Status.RESOLVED, kind) for kind in ResolutionKind},
    "waived": in_status(Status.RECURRING, waiver=WAIVED, resource_name="waived"),
}
"""By status, and by the kind of resolution where it is resolved."""

HOSTILE_FINDING = finding(
    HOSTILE,
    policy="public-export",
    severity=Severity.CRITICAL,
    account_name=HOSTILE,
    resource_type=HOSTILE,
    message=HOSTILE,
    remediation=HOSTILE,
    related={"record_arn": HOSTILE, HOSTILE: HOSTILE},
    evidence={HOSTILE: [HOSTILE]},
    controls=(Control(HOSTILE, HOSTILE, "vendor"),),
    cost=Cost(1.25, HOSTILE, HOSTILE, "2026-11-23"),
    waiver=Waived(HOSTILE, HOSTILE, HOSTILE, "2025-06-30"),
)
LONG_FINDING = finding(
    "long-" + "n" * 10_000,
    account_name="a" * 10_000,
    resource_type="t" * 10_000,
    message="m" * 10_000,
    remediation="r" * 10_000,
    related={"record_arn": "x" * 10_000, "k" * 10_000: "v" * 10_000},
    evidence={"k" * 10_000: ["v" * 300_000]},
    controls=tuple(Control("f" * 10_000, f"{number}" + "i" * 10_000, "vendor") for number in range(40)),
)


def coverage_line(**fields: Any) -> dict[str, Any]:
    """One target's line, complete unless told otherwise."""
    line = {
        "schema": "auditor.coverage/1",
        "source": "lightsail:GetExportSnapshotRecords",
        "account_id": ACCOUNT,
        "account_name": "payments",
        "region": "us-east-1",
        "verdict": "complete",
        "reason": None,
        "error_code": None,
        "error_message": None,
        "accepted": None,
        "unjudged": {},
        "pages": 1,
        "records": 10,
        "requests": 1,
        "retries": 0,
        "throttles": 0,
        "duration_s": 0.1,
        **fields,
    }
    unread = line["verdict"] in {"failed", "partial"}
    gap = gap_id(line["account_id"], line["source"], line["reason"]) if unread else None
    return {**line, "gap_id": gap}


COMPLETE = coverage_line()
FAILED = coverage_line(
    account_id="444455556666",
    verdict="failed",
    reason="role-not-assumable",
    error_code="AccessDenied",
    error_message=HOSTILE,
    pages=0,
    records=0,
)
PARTIAL = coverage_line(region="eu-west-1", verdict="partial", reason="throttled")
ACCEPTED = coverage_line(
    region="eu-central-1",
    verdict="failed",
    reason="access-denied",
    accepted={"owner": "security", "explanation": "It is being closed.", "until": "2025-06-30"},
)
UNJUDGED = coverage_line(region="eu-west-2", unjudged={"stuck-export": 2})
SKIPPED = coverage_line(region="ap-east-1", verdict="skipped", reason="region-not-enabled")
OF_ORGANIZATION = coverage_line(
    account_id="unknown",
    account_name=None,
    source="organizations:ListAccounts",
    verdict="failed",
    reason="access-denied",
)
COVERAGE = (COMPLETE, FAILED, PARTIAL, ACCEPTED, UNJUDGED, SKIPPED, OF_ORGANIZATION)
GAPS = 5
"""How many of these lines hold a gap: each one, though not the first nor what is proved empty."""

RUN: dict[str, Any] = {
    "schema": "auditor.run/1",
    "run_id": START.run_id,
    "started_at": START.started_at,
    "resumed_at": [],
    "finished_at": "2025-03-01T12:05:00Z",
    "versions": {"auditor": "0.1.0", "botocore": "1.43.0", "policies": {"stuck-export": "abc123"}},
    "config_digest": "d1" * 32,
    "history": None,
    "caller_arn": "arn:aws:sts::999900001111:assumed-role/ci/session",
    "endpoint_overrides": {},
    "scope": {
        "kind": "full",
        "accounts_from": "list",
        "accounts_not_planned": [],
        "regions_not_planned": ["sa-east-1"],
    },
    "totals": {
        "accounts": 3,
        "targets": {"planned": 7, "complete": 2, "partial": 1, "failed": 3, "skipped": 1},
        "accepted_gaps": 1,
        "requests": 9,
        "records": 40,
        "unjudged": {"records": 2, "by_policy": {"stuck-export": 2}},
    },
    "deliveries": [],
    "coverage_percent": 33,
    "coverage_percent_after_accepted": 40,
    "waivers": {"total": 0, "expired": [], "ending_soon": [], "unmatched": [], "not_looked_at": []},
    "accepted_gaps": {"total": 1, "expired": [], "ending_soon": [], "unmatched": [], "not_looked_at": []},
    "exit_conditions": [3],
    "exit_code": 3,
}


def write(
    output_format: Format,
    *batches: Sequence[Finding],
    coverage: Sequence[Mapping[str, Any]] = (),
    run: Mapping[str, Any] = RUN,
) -> bytes:
    """All that the format writes in a run that finds these."""
    body = b"".join(map(output_format.findings, batches))
    return output_format.head() + body + b"".join(output_format.tail(iter(coverage), run))


def written(
    name: str,
    *batches: Sequence[Finding],
    variant: str | None = None,
    coverage: Sequence[Mapping[str, Any]] = (),
    start: RunStart = START,
) -> bytes:
    """The same, of the format of this name."""
    run = RUN | {"scope": RUN["scope"] | {"kind": "subset" if start.is_subset else "full"}}
    return write(formats()[name](start, variant), *batches, coverage=coverage, run=run)
