from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from auditor.formats import formats
from auditor.model import Reason, Severity, Status, Verdict
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
    policy,
    write,
    written,
)
from tests.formats.test_every_format import DOCS

TRACKED = RUN | {"history": "auditor-history.sqlite3"}
LABELS = {"policy", "severity", "status", "waived", "verdict", "reason", "accepted", "destination", "version"}


class Read:
    """What Prometheus' own parser makes of a file."""

    def __init__(self, raw: bytes) -> None:
        self.families = list(text_string_to_metric_families(raw.decode()))
        samples = [sample for family in self.families for sample in family.samples]
        assert all(sample.timestamp is None for sample in samples), "the textfile collector refuses these"
        self.samples = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
        assert len(self.samples) == len(samples), "a series stands there twice"

    def __call__(self, name: str, **labels: str) -> float | None:
        """The number of one series; None where there is none."""
        return self.samples.get((f"auditor_{name}", frozenset(labels.items())))

    def summed(self, name: str, **labels: str) -> float:
        """The sum over the series that have these labels among theirs."""
        return sum(
            value
            for (found, of), value in self.samples.items()
            if found == f"auditor_{name}" and labels.items() <= of
        )


def read(*found: Any, **arguments: Any) -> Read:
    return Read(written("prometheus", found, **arguments))


def read_run(run: dict[str, Any], *found: Any) -> Read:
    return Read(write(formats()["prometheus"](START), found, run=run))


def test_findings_are_counted_by_policy_severity_status_and_waiver() -> None:
    found = [
        finding("a", status=Status.NEW, severity=Severity.HIGH),
        finding("b", status=Status.NEW, severity=Severity.HIGH),
        finding("c", status=Status.NEW, severity=Severity.HIGH, waiver=WAIVED),
        finding("d", status=Status.RESOLVED, severity=Severity.HIGH),
        finding("e", status=Status.NEW, severity=Severity.LOW, policy="public-export"),
    ]
    told = read_run(TRACKED, *found)

    def of(**labels: str) -> float | None:
        usual = {"policy": "stuck-export", "severity": "high", "status": "new", "waived": "false"}
        return told("findings", **(usual | labels))

    assert (of(), of(waived="true"), of(status="resolved")) == (2, 1, 1)
    assert of(policy="public-export", severity="low") == 1
    assert told.summed("findings") == len(found)


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_is_a_series_of_its_own(status: str) -> None:
    found = EVERY_STATUS[status]
    assert read(found).summed("findings", status=found.status.value) == 1
    assert read(found).summed("findings") == 1


def test_what_was_not_found_is_zero_and_not_missing() -> None:
    tracked = set(Status) - {Status.UNTRACKED}
    for run, statuses in ((RUN, {Status.UNTRACKED}), (TRACKED, tracked)):
        told = read_run(run)
        for name in START.policies:
            there = {
                status
                for status in Status
                if told("findings", policy=name, severity="medium", status=status.value, waived="false") == 0
            }
            assert there == statuses
        for reason in Reason:
            assert told("gaps", reason=reason.value, accepted="false") == 0
    assert read()("policy_unjudged_records", policy="public-export") == 0


def test_targets_are_counted_by_verdict_and_gaps_by_reason() -> None:
    told = read(
        coverage=[*COVERAGE, coverage_line(verdict="failed", reason="throttled", retries=5, throttles=6)]
    )
    assert {verdict: told("targets", verdict=verdict.value) for verdict in Verdict} == {
        Verdict.COMPLETE: 2,
        Verdict.PARTIAL: 1,
        Verdict.FAILED: 3,
        Verdict.SKIPPED: 1,
    }
    assert told("gaps", reason="role-not-assumable", accepted="false") == 1
    assert told("gaps", reason="access-denied", accepted="false") == 1
    assert told("gaps", reason="access-denied", accepted="true") == 1
    assert told("gaps", reason="throttled", accepted="false") == 2
    assert told("gaps", reason="region-not-enabled", accepted="false") == 0, (
        "which is proved empty, and no gap"
    )
    assert told.summed("gaps") == 5
    assert (told("throttled_targets"), told("retries"), told("throttles")) == (2, 5, 6)
    assert read(coverage=[FAILED, ACCEPTED])("throttled_targets") == 0
    assert read(coverage=[PARTIAL])("throttled_targets") == 1


def test_what_was_read_and_what_could_not_be_judged_is_there() -> None:
    told = read(coverage=[UNJUDGED, UNJUDGED, COMPLETE])
    assert (told("requests"), told("records"), told("unjudged_records")) == (9, 40, 2)
    assert told("policy_unjudged_records", policy="stuck-export") == 4


def test_the_run_tells_its_coverage_its_end_and_how_it_exits() -> None:
    told = read()
    assert (told("coverage_percent"), told("coverage_after_accepted_percent")) == (33, 40)
    assert told("run_duration_seconds") == 300
    assert told("run_finished_timestamp_seconds") == datetime.fromisoformat(RUN["finished_at"]).timestamp()
    assert (told("run_exit_code"), told("run_subset")) == (3, 0)
    assert told("info", version=START.auditor_version) == 1


def test_each_destination_tells_what_it_took_and_how_late() -> None:
    sent = {
        "destination": "siem",
        "taken": 9,
        "refused": 1,
        "left": 0,
        "lag_max_s": 61.5,
        "lag_mean_s": 60.25,
    }
    dead = {
        "destination": "dead",
        "taken": 0,
        "refused": 0,
        "left": None,
        "lag_max_s": None,
        "lag_mean_s": None,
    }
    told = read_run(TRACKED | {"deliveries": [sent, dead]})
    names = ("delivered_events", "refused_events", "undelivered_events")
    assert [told(name, destination="siem") for name in names] == [9, 1, 0]
    assert [told(name, destination="dead") for name in names] == [0, 0, None], "which nobody knows"
    assert told("delivery_lag_max_seconds", destination="siem") == 61.5
    assert told("delivery_lag_mean_seconds", destination="siem") == 60.25
    assert told("delivery_lag_max_seconds", destination="dead") is None


def test_a_subset_says_so() -> None:
    assert read(start=SUBSET)("run_subset") == 1


def test_all_are_gauges_and_no_label_names_what_is_audited() -> None:
    told = read(*EVERY_STATUS.values(), HOSTILE_FINDING, LONG_FINDING, coverage=COVERAGE)
    assert {family.type for family in told.families} == {"gauge"}
    assert {label for _, labels in told.samples for label, _ in labels} == LABELS - {"destination"}


def test_the_number_of_series_does_not_grow_with_what_is_audited() -> None:
    def series(accounts: int) -> int:
        found = [finding(f"{each}", account_id=f"{each:012}", region=f"r-{each}") for each in range(accounts)]
        lines = [
            coverage_line(account_id=f"{each:012}", region=f"r-{each}", verdict="failed", reason="throttled")
            for each in range(accounts)
        ]
        return len(read(*found, coverage=lines).samples)

    assert series(1) == series(1_000)


def test_policies_without_end_are_told_apart_up_to_a_bound_and_none_is_lost() -> None:
    found = [finding(policy=f"policy-{number}") for number in range(1_000)]
    told = read(*found)
    assert told.summed("findings") == 1_000
    assert told.summed("findings", policy="(others)") == 802, "for two of the 200 are judged by"
    assert len(told.samples) < 300


def test_a_hostile_policy_is_one_series_that_the_parser_reads() -> None:
    hostile = 'a"} 1\nauditor_run_exit_code 0\n# \\'
    told = read(finding(policy=hostile), finding(policy=HOSTILE), coverage=[FAILED])
    assert told("run_exit_code") == 3
    assert told.summed("findings", policy='a"} 1 auditor_run_exit_code 0 # \\') == 1
    assert told.summed("findings") == 2


@settings(deadline=None)  # the first imports the library
@given(st.lists(st.text(max_size=300), max_size=5))
def test_any_text_is_read_back(names: list[str]) -> None:
    start = dataclasses.replace(START, policies={"stuck-export": policy()}, auditor_version="".join(names))
    told = read(*(finding(policy=name) for name in names), start=start)
    assert told.summed("findings") == len(names)


def test_the_documentation_names_every_metric() -> None:
    text = DOCS.with_name("metrics.md").read_text("utf-8")
    names = {family.name for family in read().families}
    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in text} == set()
