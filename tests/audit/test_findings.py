from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.audit.findings import FindingMaker
from auditor.formats import encoded
from auditor.model import EXPORT_RECORDS, Account, ExportRecord, Finding, Severity, Target
from auditor.policies import Breach, Found, catalogue

NOW = datetime(2025, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)

# DESIGN.md, "Run folder": a finding, and its `related`.
FIELDS = (
    "schema finding_id event_id policy severity status partition account_id account_name region resource_arn "
    "resource_type resource_name related message remediation evidence controls cost waiver resolution first_seen "
    "observed_at run_id"
).split()
RELATED = (
    "record_arn state created_at source_snapshot_arn source_snapshot_name from_resource_arn from_resource_name "
    "destination_id"
).split()

ACCOUNT = Account(
    id="111122223333",
    name="payments",
    role_arn="arn:aws:iam::111122223333:role/R",
    external_id="canary",
    session_name="s",
    session_duration=3_600,
    regions=("us-east-1",),
)
TARGET = Target(EXPORT_RECORDS, ACCOUNT, "us-east-1")
RECORD: dict[str, Any] = {
    "arn": "arn:record",
    "name": "ExportSnapshotRecord-1",
    "resourceType": "ExportSnapshotRecord",
    "state": "Started",
    "createdAt": 1_700_000_000,
    "sourceInfo": {
        "arn": "arn:snapshot",
        "name": "nightly",
        "fromResourceArn": "arn:instance",
        "fromResourceName": "web",
    },
    "destinationInfo": {"id": "ami-1"},
}


def breach(record: object = RECORD, message: str = "It started.") -> Breach:
    return Breach(ExportRecord(record), message, {"max_age": "24h"})


def made(
    found: Breach | None = None,
    *,
    target: Target = TARGET,
    policy: str = "stuck-export",
    run_id: str = "run-1",
    now: datetime = NOW,
    **settings: Any,
) -> Finding:
    entries = catalogue()
    chosen = {policy: entries[policy].settings_type(**settings)}
    return FindingMaker(run_id, now, entries, chosen).make(target, Found(policy, found or breach()))


def sha_256(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_finding_is_written_with_exactly_the_fields_of_the_schema() -> None:
    written = json.loads(encoded(made()))
    assert list(written) == FIELDS
    assert list(written["related"]) == RELATED
    known_as = sha_256("aws", "111122223333", "us-east-1", "arn:record", "stuck-export")
    assert written == {
        "schema": "auditor.finding/1",
        "finding_id": known_as,
        "event_id": sha_256(known_as, "run-1", "untracked"),
        "policy": "stuck-export",
        "severity": "medium",
        "status": "untracked",
        "partition": "aws",
        "account_id": "111122223333",
        "account_name": "payments",
        "region": "us-east-1",
        "resource_arn": "arn:record",
        "resource_type": "ExportSnapshotRecord",
        "resource_name": "ExportSnapshotRecord-1",
        "related": {
            "record_arn": "arn:record",
            "state": "Started",
            "created_at": "2023-11-14T22:13:20Z",
            "source_snapshot_arn": "arn:snapshot",
            "source_snapshot_name": "nightly",
            "from_resource_arn": "arn:instance",
            "from_resource_name": "web",
            "destination_id": "ami-1",
        },
        "message": "It started.",
        "remediation": catalogue()["stuck-export"].policy.remediation,
        "evidence": {"max_age": "24h"},
        "controls": [{"framework": "NIST SP 800-53 r5", "id": "SI-12", "mapping": "organisational"}],
        "cost": None,
        "waiver": None,
        "resolution": None,
        "first_seen": None,
        "observed_at": "2025-03-01T12:00:00.500000Z",
        "run_id": "run-1",
    }


def test_every_field_is_there_and_null_where_the_record_does_not_say() -> None:
    target = replace(TARGET, account=replace(ACCOUNT, name=None))
    written = json.loads(encoded(made(breach({"arn": "arn:record"}), target=target)))
    assert list(written) == FIELDS
    unknown = [field for field, value in written.items() if value is None]
    nothing_yet = ["cost", "waiver", "resolution", "first_seen"]
    assert unknown == ["account_name", "resource_type", "resource_name", *nothing_yet]
    assert written["related"] == dict.fromkeys(RELATED) | {"record_arn": "arn:record"}


def test_the_severity_is_the_one_configured() -> None:
    assert made().severity is Severity.MEDIUM
    assert made(severity="critical").severity is Severity.CRITICAL


def test_an_external_id_is_in_no_finding() -> None:
    assert b"canary" not in encoded(made())


@given(
    message=st.text(),
    severity=st.sampled_from(list(Severity)),
    later=st.timedeltas(timedelta(0), timedelta(days=9_999)),
    run_id=st.text(),
    changed=st.fixed_dictionaries(
        {
            "name": st.text(),
            "state": st.sampled_from(["Started", "Failed", "Succeeded"]),
            "createdAt": st.integers(0, 2_000_000_000),
            "sourceInfo": st.dictionaries(st.sampled_from(["arn", "name"]), st.text()),
        }
    ),
)
def test_an_id_does_not_depend_on_message_severity_time_name_or_run(
    message: str, severity: Severity, later: timedelta, run_id: str, changed: dict[str, Any]
) -> None:
    other = made(breach(RECORD | changed, message), run_id=run_id, now=NOW + later, severity=severity)
    assert other.finding_id == made().finding_id
    assert (other.event_id == made().event_id) == (run_id == "run-1")


@pytest.mark.parametrize(
    "other",
    [
        made(breach(RECORD | {"arn": "arn:other"})),
        made(policy="oversized-disk"),
        made(target=replace(TARGET, region="eu-west-1")),
        made(target=replace(TARGET, account=replace(ACCOUNT, id="444455556666"))),
    ],
    ids=["resource", "policy", "Region", "account"],
)
def test_another_resource_policy_region_or_account_is_another_finding(other: Finding) -> None:
    assert other.finding_id != made().finding_id
    assert other.event_id != made().event_id


def test_another_name_for_the_same_account_is_the_same_finding() -> None:
    renamed = replace(TARGET, account=replace(ACCOUNT, name="renamed"))
    assert made(target=renamed).finding_id == made().finding_id


def test_the_same_finding_in_another_run_is_another_event() -> None:
    assert made(run_id="run-2").finding_id == made().finding_id
    assert made(run_id="run-2").event_id != made().event_id
