from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import get_ocsf_schema

from auditor.model import Severity
from tests.formats.made import (
    COVERAGE,
    EVERY_STATUS,
    FAILED,
    FIRST_SEEN,
    GAPS,
    HOSTILE,
    HOSTILE_FINDING,
    LONG_FINDING,
    START,
    SUBSET,
    coverage_line,
    finding,
    written,
)
from tests.formats.ocsf_schemas import VERSIONS, validate


def events(*found: Any, variant: str | None = None, **arguments: Any) -> list[Any]:
    """What was written, after somebody else's schema has passed each event of it."""
    made = [json.loads(line) for line in written("ocsf", found, variant=variant, **arguments).splitlines()]
    for event in made:
        assert event["class_uid"] == 2003
        validate(event)
    return made


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_is_a_valid_event_of_every_version(version: str, status: str) -> None:
    (event,) = events(EVERY_STATUS[status], variant=version)
    assert event["metadata"]["version"] == version
    assert event["class_uid"] == 2003
    assert event["type_uid"] == 200300 + event["activity_id"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("found", [HOSTILE_FINDING, LONG_FINDING], ids=["hostile", "long"])
def test_what_is_hostile_or_too_long_is_valid_too(version: str, found: Any) -> None:
    (event,) = events(found, variant=version)
    assert event["finding_info"]["uid"] == found.finding_id


@pytest.mark.parametrize("version", VERSIONS)
def test_gaps_are_valid_events_of_every_version(version: str) -> None:
    assert len(events(variant=version, coverage=COVERAGE, start=SUBSET)) == GAPS + 1


@pytest.mark.parametrize(
    ("asked", "version"),
    [(None, "1.8.0"), ("1.8", "1.8.0"), ("1.6", "1.6.0"), ("1.3", "1.3.0"), ("1.6.0", "1.6.0")],
)
def test_the_version_is_the_newest_unless_one_is_asked_for(asked: str | None, version: str) -> None:
    (event,) = events(finding(), variant=asked)
    assert event["metadata"]["version"] == version


@pytest.mark.parametrize(
    ("status", "activity", "finding_status", "compliance"),
    [
        ("untracked", "Create", "New", "Fail"),
        ("new", "Create", "New", "Fail"),
        ("recurring", "Update", "New", "Fail"),
        ("reopened", "Update", "New", "Fail"),
        ("waived", "Update", "Suppressed", "Fail"),
        ("not_seen", "Update", "Unknown", "Unknown"),
        ("condition-cleared", "Close", "Resolved", "Pass"),
        ("resource-gone", "Close", "Resolved", "Resource Gone"),
        ("policy-changed", "Close", "Archived", "Policy Changed"),
        ("retired", "Close", "Archived", "Unknown"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_follows_the_life_of_its_finding(
    version: str, status: str, activity: str, finding_status: str, compliance: str
) -> None:
    (event,) = events(EVERY_STATUS[status], variant=version)
    captions = get_ocsf_schema(version)["classes"]["compliance_finding"]["attributes"]
    of_compliance = get_ocsf_schema(version)["objects"]["compliance"]["attributes"]["status_id"]["enum"]
    assert (
        event["activity_name"]
        == activity
        == captions["activity_id"]["enum"][str(event["activity_id"])]["caption"]
    )
    assert (event["status"], event["compliance"]["status"]) == (finding_status, compliance)
    # A status that the version knows has its caption; any other is of ours, and says so.
    assert captions["status_id"]["enum"][str(event["status_id"])]["caption"] in {finding_status, "Other"}
    known = {each["caption"] for each in captions["status_id"]["enum"].values()}
    assert (event["status_id"] == 99) == (finding_status not in known)
    caption = of_compliance[str(event["compliance"]["status_id"])]["caption"]
    assert caption == (compliance if compliance in {"Fail", "Pass", "Unknown"} else "Other")
    assert event["unmapped"]["auditor_status"] == EVERY_STATUS[status].status


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("version", VERSIONS)
def test_severities_have_the_captions_of_the_schema(version: str, severity: Severity) -> None:
    (event,) = events(finding(severity=severity), variant=version)
    captions = get_ocsf_schema(version)["classes"]["compliance_finding"]["attributes"]["severity_id"]["enum"]
    assert event["severity"] == captions[str(event["severity_id"])]["caption"]
    assert event["severity"].lower().startswith(severity)


def test_a_finding_keeps_its_uid_and_each_events_uid_is_its_own() -> None:
    found = [EVERY_STATUS["new"], EVERY_STATUS["recurring"]]
    made = events(*found)
    assert [event["finding_info"]["uid"] for event in made] == [each.finding_id for each in found]
    assert [event["metadata"]["uid"] for event in made] == [each.event_id for each in found]


def test_times_are_milliseconds_of_when_it_was_first_and_last_seen() -> None:
    (event,) = events(EVERY_STATUS["recurring"])
    info = event["finding_info"]
    assert event["time"] == 1_740_830_400_000
    assert info["first_seen_time"] == info["created_time"] == 1_738_411_200_000, FIRST_SEEN
    assert info["last_seen_time"] == event["time"]


@pytest.mark.parametrize("status", ["not_seen", "condition-cleared", "retired"])
def test_what_is_not_found_was_last_seen_before_and_is_told_of_now(status: str) -> None:
    (event,) = events(replace(EVERY_STATUS[status], observed_at="2025-02-27T12:00:00Z"))
    assert event["finding_info"]["last_seen_time"] == 1_740_657_600_000
    assert event["time"] == event["finding_info"]["modified_time"] == 1_740_830_400_000


def test_what_the_schema_has_no_place_for_is_kept_beside_it() -> None:
    (event,) = events(EVERY_STATUS["waived"])
    assert event["unmapped"]["waiver"]["ticket"] == "OPS-1"
    assert event["unmapped"]["evidence"] == {"disks": [{"path": "/dev/xvda", "size_gb": 700}]}
    assert event["compliance"]["requirements"] == ["NIST SP 800-53 r5 CM-8"]
    assert event["cloud"]["account"]["uid"] == "111122223333"
    assert event["cloud"]["region"] == "us-east-1"


def test_a_gap_is_unknown_and_never_a_pass() -> None:
    made = events(coverage=COVERAGE)
    assert len(made) == GAPS
    assert {event["compliance"]["status_id"] for event in made} == {0}
    assert [event["unmapped"]["gap"]["reason"] for event in made] == [
        "role-not-assumable",
        "throttled",
        "access-denied",
        "unjudged",
        "access-denied",
    ]
    assert [event["status"] for event in made] == ["Unknown", "Unknown", "Suppressed", "Unknown", "Unknown"]
    assert len({event["metadata"]["uid"] for event in made}) == GAPS
    assert made[0]["unmapped"]["gap"]["error_message"] == HOSTILE.replace("\ud800", r"\ud800")


def test_the_regions_of_a_gap_are_one_event() -> None:
    regions = ["eu-west-1", "eu-west-2", "us-east-1", "us-west-2"]
    (event,) = events(coverage=[coverage_line(**FAILED | {"region": region}) for region in regions])
    assert event["unmapped"]["gap"]["regions"] == regions
    assert event["unmapped"]["gap"]["targets"] == 4
    assert event["finding_info"]["uid"] == event["unmapped"]["gap"]["gap_id"]
    assert "in account 444455556666, eu-west-1, eu-west-2, us-east-1 and 1 more: " in event["message"]
    assert "region" not in event["cloud"]


def test_a_subset_says_so_in_every_event_and_in_one_of_its_own() -> None:
    of_finding, of_scope = events(finding(), start=SUBSET)
    assert of_finding["unmapped"]["scope"]["kind"] == "subset"
    assert of_finding["unmapped"]["scope"]["filters"]["regions"] == ["eu-west-1"]
    assert (of_scope["compliance"]["status_id"], of_scope["unmapped"]["gap"]["kind"]) == (0, "subset")
    assert "accounts 111122223333; Regions eu-west-1" in of_scope["message"]
    (full,) = events(finding(), start=START)
    assert full["unmapped"]["scope"]["kind"] == "full"


@given(
    st.sampled_from(VERSIONS),
    st.sampled_from(sorted(EVERY_STATUS)),
    st.text(max_size=50) | st.none(),
    st.dictionaries(
        st.text(max_size=5), st.none() | st.text(max_size=20) | st.integers(-(2**63), 2**64 - 1), max_size=3
    ),
)
def test_any_text_makes_a_valid_event(
    version: str, status: str, text: str | None, evidence: dict[str, Any]
) -> None:
    usual = EVERY_STATUS[status]
    found = finding(
        status=usual.status,
        resolution=usual.resolution,
        resource_arn=text or "arn",
        resource_name=text,
        resource_type=text,
        account_name=text,
        message=text or "",
        evidence=evidence,
    )
    events(found, variant=version)
