"""The report as it is written; how it behaves in a browser stands beside this."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import time
from typing import Any

import pytest

from auditor.formats import PastRun
from auditor.formats.report import findings as report_findings
from auditor.formats.report import page as report_page
from auditor.formats.report.assets import FOLDER, SCRIPTS, STYLES, asset
from auditor.formats.report.counts import Counts
from auditor.formats.report.seen import Seen
from auditor.model import Cost, Severity, Status
from tests.formats.made import (
    ACCEPTED,
    COMPLETE,
    COVERAGE,
    EVERY_STATUS,
    FAILED,
    HOSTILE,
    HOSTILE_FINDING,
    LONG_FINDING,
    PARTIAL,
    RUN,
    START,
    SUBSET,
    UNJUDGED,
    WAIVED,
    coverage_line,
    finding,
)
from tests.formats.pages import blocks, details, organisation, report, rows, tags, text, varied

CLEAN = RUN | {
    "totals": RUN["totals"]
    | {
        "targets": {"planned": 1, "complete": 1, "partial": 0, "failed": 0, "skipped": 0},
        "unjudged": {"records": 0, "by_policy": {}},
    },
    "coverage_percent": 100,
    "coverage_percent_after_accepted": 100,
    "exit_conditions": [0],
    "exit_code": 0,
}
WITH_HISTORY = RUN | {"history": "history.sqlite3"}


# What a browser is held to


def test_a_browser_may_run_what_stands_in_the_page_and_load_nothing() -> None:
    page = report(coverage=[COMPLETE], run=CLEAN)
    (policy,) = (
        attributes["content"] or ""
        for tag, attributes in tags(page)
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    allowed = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert allowed["default-src"] == allowed["connect-src"] == allowed["form-action"] == "'none'"
    for directive, pattern in (
        ("script-src", rb"<script>(.*?)</script>"),
        ("style-src", rb"<style>(.*?)</style>"),
    ):
        found = re.findall(pattern, page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(each).digest()).decode() for each in found]
        assert allowed[directive].split() == [f"'sha256-{each}'" for each in digests]


def test_no_element_loads_anything_or_runs_a_script_of_an_attribute() -> None:
    for tag, attributes in tags(report([HOSTILE_FINDING], coverage=COVERAGE, run=RUN)):
        assert tag not in {"img", "link", "iframe", "object", "embed", "base", "form", "video", "audio"}
        assert not {"src", "srcset", "style", "action", "formaction"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_no_script_makes_markup_of_text() -> None:
    for name in SCRIPTS:
        if "vendored" not in name:
            assert not re.search(
                rb"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", asset(name)
            )
        assert not re.search(rb"</(script|style)|<!--", asset(name), re.IGNORECASE)


def test_what_is_vendored_is_what_its_list_says() -> None:
    folder = FOLDER / "vendored"
    listed = json.loads((folder / "vendored.json").read_text("utf-8"))
    files = {path.name for path in folder.iterdir()} - {"vendored.json"}
    assert files == {name for each in listed for name in (*each["files"], each["licence_file"])}
    for each in listed:
        assert each["licence"] == "MIT"
        assert each["version"]
        assert each["source"].startswith("https://registry.npmjs.org/")
        for name, digest in each["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert {name.removeprefix("vendored/") for name in (*SCRIPTS, *STYLES) if "/" in name} == {
        name for each in listed for name in each["files"]
    }


# What the first screen says


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"coverage": [COMPLETE], "run": CLEAN},
            "Is the audit complete? + Complete Everything that was planned",
        ),
        (
            {"coverage": [COMPLETE], "run": CLEAN, "start": SUBSET},
            "Is the audit complete? ! Complete for a subset alone Everything in it was read and judged. Nothing is",
        ),
        (
            {"coverage": COVERAGE, "run": RUN},
            "! Not complete 3 of 6 targets could not be read. 1 of 6 targets could be read only in part. 2 records could not be judged by every policy. Somebody has accepted 1",
        ),
        (
            {
                "run": CLEAN
                | {"totals": CLEAN["totals"] | {"targets": dict.fromkeys(CLEAN["totals"]["targets"], 0)}}
            },
            "Not complete There was nothing that could be read.",
        ),
        (
            {"coverage": [COMPLETE], "run": CLEAN | {"exit_conditions": [130]}},
            "Not complete The run did not end as it should have",
        ),
    ],
    ids=["clean", "subset", "gaps", "nothing", "interrupted"],
)
def test_the_first_screen_says_whether_the_audit_is_complete(arguments: dict[str, Any], said: str) -> None:
    assert said in text(report(**arguments))


def test_the_first_screen_counts_what_is_neither_waived_nor_resolved() -> None:
    page = text(report([*EVERY_STATUS.values(), HOSTILE_FINDING], coverage=[COMPLETE], run=CLEAN))
    assert "What was found? 5 findings" in page
    assert "critical 0 high 0 medium 5 low 0 info 0 2 waived and 4 resolved are not among these." in page


def test_the_first_screen_says_what_is_new_where_there_is_a_history() -> None:
    page = text(report(list(EVERY_STATUS.values()), coverage=[COMPLETE], run=WITH_HISTORY))
    assert "What is new? 2 new" in page
    assert (
        "new found for the first time 1 reopened were resolved before 1 recurring were there before 2" in page
    )
    assert "not seen open, not looked at 1 resolved are gone 4" in page


def test_without_a_history_it_says_that_nothing_is_known_of_what_is_new() -> None:
    page = text(report([finding()], coverage=[COMPLETE], run=CLEAN))
    assert "What is new? Not known This run keeps no history" in page
    assert "nothing to compare it with" in page


def test_what_could_not_be_seen_stands_by_its_reason_with_who_accepted_it() -> None:
    page = text(report(coverage=COVERAGE, run=RUN))
    assert (
        "role-not-assumable 1 throttled 1 access-denied 1 accepted by somebody 1 records not judged 2" in page
    )
    assert (
        "payments 444455556666 role-not-assumable us-east-1 lightsail:GetExportSnapshotRecords AccessDenied"
        in page
    )
    assert "security, until 2025-06-30: It is being closed." in page
    assert "not judged by stuck-export" in page


def test_where_only_records_could_not_be_judged_these_are_counted() -> None:
    run = CLEAN | {"totals": CLEAN["totals"] | {"unjudged": RUN["totals"]["unjudged"]}}
    page = text(report(coverage=[UNJUDGED], run=run))
    assert "What could not be seen? 2 records" in page
    assert "! Not complete 2 records could not be judged by every policy." in page


def test_a_gap_never_reads_as_nothing_found() -> None:
    assert "No findings in what could be seen." in text(report(coverage=[FAILED], run=RUN))
    assert "No findings." in text(report(coverage=[COMPLETE], run=CLEAN))


# The findings


def test_each_finding_is_there_whole() -> None:
    found = [HOSTILE_FINDING, *EVERY_STATUS.values()]
    page = report(found, coverage=[COMPLETE], run=RUN)
    (about,) = blocks(page, "about")
    for one, row, rest in zip(found, rows(page), details(page), strict=True):
        made = row | rest
        assert set(made) == set(json.loads(about)["fields"])
        assert made["finding_id"] == one.finding_id
        assert made["event_id"] == one.event_id
        assert made["severity"] == one.severity
        assert made["evidence"].keys() == {key.replace("\ud800", r"\ud800") for key in one.evidence}


def test_what_is_long_is_shortened_and_says_so() -> None:
    page = report([LONG_FINDING, finding()], coverage=[COMPLETE], run=RUN)
    long, short = details(page)
    assert long["shortened"]
    assert "shortened" not in short
    assert len(rows(page)[0]["message"]) == 1_000
    assert "1 are shortened" in text(page)


def test_what_there_is_no_room_for_is_the_last_of_each_severity_and_is_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(report_findings, "MOST", 3)
    found = [finding(f"low-{number}", severity=Severity.LOW) for number in range(5)]
    found += [finding("grave", severity=Severity.CRITICAL)]
    page = report(found, coverage=[COMPLETE], run=RUN)
    assert [row["resource_name"] for row in rows(page)] == ["low-0", "low-1", "low-2", "grave"]
    assert "2 of 6 findings are left out of this list (2 low)" in text(page)
    assert "What was found? 6 findings" in text(page)
    assert "findings.jsonl" in text(page)


def test_details_are_given_up_before_rows(monkeypatch: Any) -> None:
    monkeypatch.setattr(report_findings, "MOST_DETAIL", 2_000)
    page = report([finding(str(number)) for number in range(5)], coverage=[COMPLETE], run=RUN)
    assert len(rows(page)) == 5
    shortened = ["shortened" in each for each in details(page)]
    assert shortened == sorted(shortened)
    assert 0 < sum(shortened) < 5


def test_10000_findings_are_written_within_3_s() -> None:
    found, lines = varied(10_000), organisation(2_000, 19)
    begun = time.process_time()
    page = report(found, coverage=lines, run=RUN)
    assert time.process_time() - begun <= 3
    assert len(page) <= 6_000_000


# The map


def cells(*lines: Any) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """What the map shows of each account and Region."""
    page = report(coverage=lines, run=RUN)
    (about,), (matrix,) = blocks(page, "about"), blocks(page, "matrix")
    told = json.loads(about)
    numbers = iter(int.from_bytes(matrix[at : at + 2], "little") for at in range(0, len(matrix), 2))
    found = {
        (account, region): next(numbers) for account, _ in told["accounts"] for region in told["regions"]
    }
    return {place: tuple(told["kinds"][number - 1]) for place, number in found.items() if number}


def test_the_map_has_each_account_and_region_by_its_worst_verdict() -> None:
    found = cells(*COVERAGE)
    assert found["111122223333", "us-east-1"] == ("complete", [])
    assert found["444455556666", "us-east-1"] == ("failed", ["role-not-assumable (AccessDenied)"])
    assert found["111122223333", "eu-west-1"] == ("partial", ["throttled"])
    assert found["111122223333", "eu-central-1"][0] == "accepted"
    assert found["111122223333", "eu-west-2"] == ("unjudged", [])
    assert found["111122223333", "ap-east-1"] == ("skipped", ["region-not-enabled"])
    assert ("444455556666", "eu-west-1") not in found


@pytest.mark.parametrize(
    ("others", "cell"),
    [
        ([{"verdict": "failed", "reason": "throttled"}], ("partial", ["throttled"])),
        ([{"verdict": "skipped", "reason": "region-not-enabled"}], ("complete", ["region-not-enabled"])),
        (
            [
                {"verdict": "failed", "reason": "dependency-failed"},
                {"verdict": "failed", "reason": "access-denied"},
            ],
            ("partial", ["access-denied"]),
        ),
    ],
)
def test_a_place_of_several_sources_is_told_by_the_worst_of_them(
    others: list[dict[str, Any]], cell: tuple[str, list[str]]
) -> None:
    lines = [coverage_line(source=f"ec2:{number}", **each) for number, each in enumerate(others)]
    assert cells(COMPLETE, *lines) == {("111122223333", "us-east-1"): cell}


def test_an_organisation_of_2000_accounts_has_a_small_map() -> None:
    assert len(report(coverage=organisation(2_000, 19), run=RUN)) < 400_000


def test_what_follows_from_another_failure_stands_after_it() -> None:
    seen = Seen()
    for reason in ("dependency-failed", "dependency-failed", "access-denied"):
        seen.add(coverage_line(source=reason, verdict="failed", reason=reason))
    seen.end()
    assert [group.reason for group in seen.groups()] == ["access-denied", "dependency-failed"]


def test_many_gaps_are_cut_and_it_is_said(monkeypatch: Any) -> None:
    monkeypatch.setattr(report_page, "MOST_GROUPS", 2)
    lines = [
        coverage_line(account_id=f"{number:012}", verdict="failed", reason="throttled") for number in range(5)
    ]
    assert "3 rows are left out here." in text(report(coverage=lines, run=RUN))


# Trend, cost, waivers, policies, the run


def past(day: int, found: int) -> PastRun:
    return PastRun(f"run-{day}", f"2025-02-0{day}T02:00:00Z", False, found, 1, 0, 2, 90)  # noqa: FBT003


def test_the_trend_has_the_runs_before_and_this_one() -> None:
    start = dataclasses.replace(START, past=(past(1, 12), past(2, 1_234)))
    page = report(
        [EVERY_STATUS["new"], EVERY_STATUS["retired"]], coverage=[COMPLETE], run=WITH_HISTORY, start=start
    )
    (about,) = blocks(page, "about")
    assert [each["open"] for each in json.loads(about)["past"]] == [12, 1_234, 1]
    told = text(page)
    assert "2025-03-01 12:00 (this one) 1 1 0 1 33 % full" in told
    assert "2025-02-02 02:00 1,234 1 0 2 90 % full" in told


def test_costs_are_added_up_exactly_and_name_where_the_price_is_from() -> None:
    cost = Cost(0.1, "10 GB", "https://aws.amazon.com/ebs/pricing/", "2026-11-23")
    found = [finding(str(number), cost=cost, account_name="payments") for number in range(3)]
    gone = [finding("gone", cost=cost, status=Status.RESOLVED), finding("waived", cost=cost, waiver=WAIVED)]
    page = text(report([*found, *gone], coverage=[COMPLETE], run=CLEAN))
    assert "0.30 US dollars a month" in page
    assert "by https://aws.amazon.com/ebs/pricing/ of 2026-11-23" in page
    assert "stuck-export 0.30" in page
    assert "payments 111122223333 0.30" in page


def test_waivers_and_accepted_gaps_stand_with_their_ends() -> None:
    entry = {"line": 9, "policy": "stuck-export", "account": None, "region": None, "resource": None}
    entry |= {"owner": "ops", "reason": "Old.", "ticket": None, "until": "2025-01-01", "matched": 2}
    run = RUN | {"waivers": RUN["waivers"] | {"total": 2, "expired": [entry]}}
    page = text(report([EVERY_STATUS["waived"]], coverage=[COMPLETE, ACCEPTED], run=run))
    assert "waiver, line 9 has ended 2025-01-01 ops policy stuck-export 2" in page
    assert "2025-06-30 data-platform Kept for the auditors. OPS-1 1" in page
    assert "2025-06-30 security It is being closed. 1" in page


def test_many_waivers_and_policies_stay_few() -> None:
    counts = Counts()
    for number in range(3_000):
        waiver = dataclasses.replace(WAIVED, ticket=str(number))
        counts.add([finding(policy=f"p-{number}"), finding(waiver=waiver)])
    assert len(counts.by_policy) == len(counts.waivers) == 1_001
    assert counts.waivers.total() == 3_000


def test_policies_stand_with_their_text_settings_and_controls() -> None:
    page = text(report([finding()], coverage=[COMPLETE], run=CLEAN))
    assert "medium stuck-export An export to EC2 that started, and never came to an end. 1" in page
    assert 'Settings max_age: "P1D" Controls NIST SP 800-53 r5 CM-8 (organisational) Version abc123' in page
    assert "Why AWS reports none that hangs." in page


def test_how_the_run_was_made_is_told() -> None:
    page = text(report(coverage=[COMPLETE], run=RUN | {"endpoint_overrides": {"sts": "http://127.0.0.1:1"}}))
    for told in (RUN["caller_arn"], RUN["config_digest"], "auditor 0.1.0, botocore 1.43.0", START.run_id):
        assert told in page
    assert "sts http://127.0.0.1:1 instead of AWS's own" in page
    assert "3: coverage below --min-coverage" in page


def test_hostile_text_is_no_markup_wherever_it_stands() -> None:
    hostile = f"<script>alert(1)</script>{HOSTILE}"
    name = {"account_name": hostile, "region": hostile, "source": hostile}
    lines = [
        coverage_line(
            **name, verdict="failed", reason="access-denied", error_code=hostile, error_message=hostile
        ),
        coverage_line(**name, unjudged={hostile: 1}),
    ]
    start = dataclasses.replace(
        SUBSET,
        config_path=hostile,
        filters={"policies": (hostile,), "accounts": (), "regions": ()},
        policies={
            hostile: dataclasses.replace(
                START.policies["stuck-export"],
                id=hostile,
                title=hostile,
                page=f"{hostile}\n\nWhy\n    {hostile}",
            )
        },
    )
    run = WITH_HISTORY | {"caller_arn": hostile, "history": hostile, "config_digest": hostile}
    page = report([HOSTILE_FINDING], coverage=lines, run=run, start=start)
    assert "\\x1b[2J" in text(page)
    assert b"<script>alert" not in page
    assert sum(tag == "script" and not attributes for tag, attributes in tags(page)) == len(SCRIPTS)
    assert "b" not in {tag for tag, _ in tags(page)}


def test_partial_and_unjudged_are_told_apart_from_failed() -> None:
    seen = Seen()
    for line in (PARTIAL, UNJUDGED, FAILED):
        seen.add(line)
    seen.end()
    assert {cell.value: count for cell, count in seen.cells.items()} == {
        "partial": 1,
        "unjudged": 1,
        "failed": 1,
    }
