from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import Severity
from tests.formats.made import (
    CONFIG,
    COVERAGE,
    EVERY_STATUS,
    GAPS,
    HOSTILE_FINDING,
    LONG_FINDING,
    START,
    SUBSET,
    WAIVED,
    finding,
    policy,
    written,
)

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def issues(*found: Any, **arguments: Any) -> list[Any]:
    """The issues, after each is held to what GitLab's documentation asks of one."""
    made = json.loads(written("gitlab", found, **arguments))
    for issue in made:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["description"].isprintable()
        assert issue["severity"] in SEVERITIES
        assert set(issue["location"]) == {"path", "lines"}
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith("./")
    assert len({issue["fingerprint"] for issue in made}) == len(made), "GitLab keeps one of each"
    return list(made)


def test_an_issue_points_at_the_line_that_sets_the_policy() -> None:
    start = dataclasses.replace(
        START, config_path="./conf/accounts.yaml", policies={"stuck-export": policy(line=9)}
    )
    (issue,) = issues(finding(), start=start)
    assert issue == {
        "description": "111122223333 us-east-1 export-1: It started and has not ended.",
        "check_name": "stuck-export",
        "fingerprint": finding().finding_id,
        "severity": "major",
        "location": {"path": CONFIG, "lines": {"begin": 9}},
    }


@pytest.mark.parametrize(
    ("severity", "theirs"),
    list(zip(Severity, ("blocker", "critical", "major", "minor", "info"), strict=True)),
)
def test_severities_are_gitlabs(severity: Severity, theirs: str) -> None:
    (issue,) = issues(finding(severity=severity))
    assert issue["severity"] == theirs


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_what_is_resolved_is_left_out_and_nothing_else(status: str) -> None:
    found = EVERY_STATUS[status]
    assert len(issues(found)) == (found.status != "resolved")


def test_what_was_not_seen_stays_and_says_why() -> None:
    (issue,) = issues(EVERY_STATUS["not_seen"])
    assert issue["description"].startswith(
        "Found before, and not seen in this run (its account could not be read): 111122223333"
    )
    assert issue["severity"] == "major"


def test_a_waived_finding_is_told_as_information() -> None:
    (issue,) = issues(finding(severity=Severity.CRITICAL, waiver=WAIVED))
    assert issue["severity"] == "info"
    assert issue["description"].startswith("Waived by data-platform until 2025-06-30: 111122223333")


def test_gaps_are_issues_of_their_own() -> None:
    made = issues(coverage=COVERAGE)
    assert len(made) == GAPS
    assert [issue["severity"] for issue in made] == ["major", "major", "info", "major", "major"]
    assert [issue["check_name"] for issue in made].count("coverage-unjudged") == 1
    assert "role-not-assumable" in made[0]["description"]
    assert made[3]["location"]["lines"]["begin"] == 7, "where the policy that could not judge is set"


def test_a_subset_says_so() -> None:
    (issue,) = issues(start=SUBSET)
    assert (issue["check_name"], issue["severity"]) == ("coverage-subset", "info")
    assert "a subset alone: accounts 111122223333; Regions eu-west-1" in issue["description"]


def test_a_run_that_found_nothing_is_an_empty_list() -> None:
    assert issues() == []


def test_what_is_hostile_or_too_long_is_an_issue_each() -> None:
    hostile, long = issues(HOSTILE_FINDING, LONG_FINDING)
    assert r"\x1b[2J" in hostile["description"]
    assert len(long["description"].encode()) <= 2_048


@given(st.sampled_from(sorted(EVERY_STATUS)), st.text(max_size=50))
def test_any_text_makes_an_issue(status: str, text: str) -> None:
    usual = EVERY_STATUS[status]
    issues(
        finding(
            status=usual.status,
            resolution=usual.resolution,
            resource_name=text,
            resource_arn=text,
            message=text,
        )
    )
