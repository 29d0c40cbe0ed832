from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.formats import formats
from tests.formats.importing import imported
from tests.formats.made import (
    COVERAGE,
    EVERY_STATUS,
    FIRST_SEEN,
    GAPS,
    HOSTILE_FINDING,
    LONG_FINDING,
    OF_ORGANIZATION,
    RUN,
    START,
    SUBSET,
    finding,
    write,
    written,
)


def findings(*found: Any, **arguments: Any) -> list[Any]:
    return imported(written("asff", found, **arguments))


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_can_be_imported(status: str) -> None:
    (one,) = findings(EVERY_STATUS[status])
    assert one["Id"] == EVERY_STATUS[status].finding_id


def test_what_is_hostile_or_too_long_can_be_imported_too() -> None:
    hostile, long = findings(HOSTILE_FINDING, LONG_FINDING)
    assert hostile["Description"].startswith(r"\x1b[2J")
    assert long["Description"] == "m" * 1_021 + "…"
    assert len(long["Compliance"]["RelatedRequirements"]) == 32
    # What was cut says so.
    assert long["ProductFields"]["auditor/truncated"] == "true"
    assert "auditor/truncated" not in findings(finding())[0]["ProductFields"]


def test_what_would_be_too_large_as_it_is_sent_leaves_fields_out_and_says_so() -> None:
    (one,) = findings(finding(related={f"key-{number}": "é" * 1_500 for number in range(45)}))
    assert one["ProductFields"]["auditor/truncated"] == "true"
    assert "auditor/related/key-0" in one["ProductFields"]
    assert "auditor/related/key-44" not in one["ProductFields"]


@pytest.mark.parametrize(
    ("status", "record_state", "compliance"),
    [
        ("untracked", "ACTIVE", "FAILED"),
        ("new", "ACTIVE", "FAILED"),
        ("recurring", "ACTIVE", "FAILED"),
        ("reopened", "ACTIVE", "FAILED"),
        ("waived", "ACTIVE", "FAILED"),
        ("not_seen", "ACTIVE", "NOT_AVAILABLE"),
        ("condition-cleared", "ARCHIVED", "PASSED"),
        ("resource-gone", "ARCHIVED", "NOT_AVAILABLE"),
        ("policy-changed", "ARCHIVED", "NOT_AVAILABLE"),
        ("retired", "ARCHIVED", "NOT_AVAILABLE"),
    ],
)
def test_the_record_follows_the_life_of_its_finding(status: str, record_state: str, compliance: str) -> None:
    (one,) = findings(EVERY_STATUS[status])
    assert (one["RecordState"], one["Compliance"]["Status"]) == (record_state, compliance)
    assert one["ProductFields"]["auditor/status"] == EVERY_STATUS[status].status


def test_a_waived_finding_arrives_suppressed_and_no_other_touches_the_customers_workflow() -> None:
    (waived,) = findings(EVERY_STATUS["waived"])
    (usual,) = findings(EVERY_STATUS["recurring"])
    assert waived["Workflow"] == {"Status": "SUPPRESSED"}
    assert json.loads(waived["ProductFields"]["auditor/waiver"])["ticket"] == "OPS-1"
    assert "Workflow" not in usual


def test_a_finding_keeps_when_it_was_made_and_tells_when_it_was_seen() -> None:
    (one,) = findings(EVERY_STATUS["recurring"])
    assert (one["CreatedAt"], one["UpdatedAt"]) == (FIRST_SEEN, "2025-03-01T12:00:00Z")
    (untracked,) = findings(EVERY_STATUS["untracked"])
    assert untracked["CreatedAt"] == untracked["UpdatedAt"]


def test_a_finding_that_is_resolved_is_newer_than_when_it_was_last_seen() -> None:
    # Security Hub ignores an update that is not: the finding would stay active.
    (one,) = findings(dataclasses.replace(EVERY_STATUS["resource-gone"], observed_at="2025-02-28T12:00:00Z"))
    assert one["UpdatedAt"] == START.started_at
    assert one["RecordState"] == "ARCHIVED"


def test_what_asff_has_no_place_for_stands_in_the_products_fields() -> None:
    (one,) = findings(finding(related={"state": "Failed", "source_snapshot_name": None}))
    fields = one["ProductFields"]
    assert json.loads(fields["auditor/evidence"]) == {"disks": [{"path": "/dev/xvda", "size_gb": 700}]}
    assert fields["auditor/related/state"] == "Failed"
    assert "auditor/related/source_snapshot_name" not in fields


def test_a_gap_is_not_available_where_it_is_and_never_passed() -> None:
    made = findings(coverage=COVERAGE)
    assert len(made) == GAPS
    assert {one["Compliance"]["Status"] for one in made} == {"NOT_AVAILABLE"}
    assert {one["RecordState"] for one in made} == {"ACTIVE"}
    assert [one["AwsAccountId"] for one in made][:2] == ["444455556666", "111122223333"]
    assert made[0]["Compliance"]["StatusReasons"][0]["ReasonCode"] == "ROLE_NOT_ASSUMABLE"
    assert made[1]["Region"] == "eu-west-1"
    accepted = made[2]
    assert accepted["Workflow"] == {"Status": "SUPPRESSED"}
    assert "security until 2025-06-30" in accepted["Compliance"]["StatusReasons"][0]["Description"]


@pytest.mark.parametrize(
    ("caller", "account"),
    [("arn:aws:sts::999900001111:assumed-role/a/b", "999900001111"), (None, "000000000000")],
)
def test_a_gap_of_an_account_that_is_not_known_is_told_where_the_caller_is(
    caller: str | None, account: str
) -> None:
    made = formats()["asff"](START)
    (one,) = imported(write(made, coverage=[OF_ORGANIZATION], run=RUN | {"caller_arn": caller}))
    assert one["AwsAccountId"] == account
    assert one["ProductFields"]["auditor/asked_as"] == "unknown"


def test_a_subset_says_so_in_every_finding_and_in_one_of_its_own() -> None:
    of_finding, of_scope = findings(finding(), start=SUBSET)
    said = "a subset alone: accounts 111122223333; Regions eu-west-1"
    assert of_finding["ProductFields"]["auditor/scope"] == said
    assert of_scope["Compliance"]["Status"] == "NOT_AVAILABLE"
    assert said in of_scope["Description"]
    (full,) = findings(finding())
    assert full["ProductFields"]["auditor/scope"] == "everything that the configuration names"


def test_a_run_that_found_nothing_is_a_document_too() -> None:
    assert json.loads(written("asff")) == {"Findings": []}


@given(st.sampled_from(sorted(EVERY_STATUS)), st.text(max_size=400))
def test_any_text_can_be_imported(status: str, text: str) -> None:
    usual = EVERY_STATUS[status]
    found = finding(
        status=usual.status,
        resolution=usual.resolution,
        resource_arn=text,
        resource_name=text,
        resource_type=text,
        account_name=text,
        message=text,
        remediation=text,
        evidence={text: text},
    )
    assert len(findings(found)) == 1
