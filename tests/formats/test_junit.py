from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped

from tests.formats.made import (
    COMPLETE,
    COVERAGE,
    EVERY_STATUS,
    GAPS,
    HOSTILE_FINDING,
    LONG_FINDING,
    SKIPPED,
    SUBSET,
    finding,
    written,
)

# XML 1.0, 2.2.
_CHARACTERS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def suites(*found: Any, **arguments: Any) -> dict[str, Any]:
    """What junitparser reads, after each suite's counts are held to its tests."""
    document = written("junit", found, **arguments)
    assert _CHARACTERS.fullmatch(document.decode())
    read = {}
    for suite in JUnitXml.fromstring(document):
        outcomes = [type(each) for case in suite for each in case.result]
        counted = (outcomes.count(Failure), outcomes.count(Error), outcomes.count(Skipped))
        assert (suite.failures, suite.errors, suite.skipped) == counted, suite.name
        assert suite.tests == len(list(suite))
        assert suite.name not in read
        read[suite.name] = suite
    check_structure(ET.fromstring(document))  # noqa: S314 -- our own
    return read


def check_structure(root: ET.Element) -> None:
    """What the schemas of Jenkins's xUnit plugin (junit-10.xsd) and of Maven Surefire both allow."""
    assert root.tag == "testsuites"
    assert set(root.keys()) == {"name"}
    for suite in root:
        assert suite.tag == "testsuite"
        assert set(suite.keys()) == {"name", "tests", "failures", "errors", "skipped", "time"}
        properties, *cases = suite
        assert properties.tag == "properties"
        assert {tuple(each.keys()) for each in properties} == {("name", "value")}
        for case in cases:
            assert (case.tag, set(case.keys())) == ("testcase", {"name", "classname", "time"})
            (outcome,) = case
            allowed = {"failure": {"message", "type"}, "error": {"message", "type"}, "skipped": {"message"}}
            assert set(outcome.keys()) == allowed.get(outcome.tag, set())
            assert outcome.tag in {*allowed, "system-out"}


def outcome(found: Any) -> Any:
    """What became of the one test of a finding: None where it passed."""
    (case,) = suites(found, coverage=[COMPLETE])[found.policy]
    return case.result[0] if case.result else None


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        ("untracked", Failure, "It started and has not ended."),
        ("new", Failure, "It started and has not ended."),
        ("recurring", Failure, "It started and has not ended."),
        ("reopened", Failure, "It started and has not ended."),
        ("waived", Skipped, "Waived by data-platform until 2025-06-30: Kept for the auditors.; It started"),
        ("not_seen", Error, "Found before, and not seen in this run: its account could not be read; It"),
        ("resource-gone", Skipped, "resource-gone: as the history tells"),
        ("policy-changed", Skipped, "policy-changed: as the history tells"),
        ("retired", Skipped, "retired: as the history tells"),
    ],
)
def test_a_test_follows_the_life_of_its_finding(status: str, kind: Any, message: str) -> None:
    became = outcome(EVERY_STATUS[status])
    assert type(became) is kind
    assert became.message.startswith(message)


def test_only_what_was_looked_at_and_keeps_the_policy_passes() -> None:
    assert outcome(EVERY_STATUS["condition-cleared"]) is None


def test_a_failure_says_what_was_found_where_and_what_to_do() -> None:
    (case,) = suites(finding())["stuck-export"]
    assert case.classname == "stuck-export"
    assert case.name.startswith("111122223333 us-east-1 export-1 arn:aws:lightsail:")
    (failure,) = case.result
    assert failure.type == "medium"
    assert "remediation: Look.\n" in failure.text
    assert '{"disks":[{"path":"/dev/xvda","size_gb":700}]}' in failure.text


def test_what_is_hostile_or_too_long_is_read_by_others() -> None:
    read = suites(HOSTILE_FINDING, LONG_FINDING, coverage=COVERAGE)
    (case,) = read["public-export"]
    assert r"\x1b[2J \u202e\x7f\U000e0001 =1+1 <b>" in case.name
    assert r"\x00\ufffe\ud800" in case.result[0].message


def test_a_gap_is_an_error_and_never_a_pass() -> None:
    cases = list(suites(coverage=COVERAGE)["coverage"])
    assert len(cases) == GAPS + 1
    assert [type(case.result[0]) for case in cases] == [Error, Error, Skipped, Error, Error, Error]
    assert "role-not-assumable" in cases[0].result[0].message
    assert cases[2].result[0].message.startswith("Accepted by security until 2025-06-30")
    assert cases[-1].result[0].message.endswith("33 % of the targets were read to their end")


def test_a_clean_run_is_one_test_that_passes() -> None:
    read = suites(coverage=[COMPLETE, SKIPPED])
    (case,) = read.pop("coverage")
    assert not read
    assert (case.name, case.result) == ("everything planned was read and judged", [])


def test_a_subset_says_so_in_every_suite_and_in_a_test_of_its_own() -> None:
    read = suites(finding(), coverage=[COMPLETE], start=SUBSET)
    for suite in read.values():
        told = {each.name: each.value for each in suite.properties()}
        assert told["is_subset"] == "true"
        assert told["scope"] == "a subset alone: accounts 111122223333; Regions eu-west-1"
    subset, everything = read["coverage"]
    assert isinstance(subset.result[0], Skipped)
    assert "Nothing is known of the rest." in subset.result[0].message
    assert everything.result == []


def test_a_policy_that_finds_much_has_several_suites_of_bounded_size() -> None:
    read = suites(*(finding(f"export-{number}") for number in range(450)))
    assert {name: suite.tests for name, suite in read.items()} == {
        "stuck-export": 200,
        "stuck-export (2)": 200,
        "stuck-export (3)": 50,
        "coverage": 1,
    }


@given(st.sampled_from(sorted(EVERY_STATUS)), st.text(max_size=50))
def test_any_text_is_read_by_others(status: str, text: str) -> None:
    usual = EVERY_STATUS[status]
    found = finding(
        status=usual.status,
        resolution=usual.resolution,
        waiver=usual.waiver,
        resource_arn=text,
        resource_name=text,
        message=text,
        remediation=text,
        evidence={text: text},
    )
    assert suites(found)["stuck-export"].tests == 1
