from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import auditor
from auditor.audit import NewFindings, Result
from auditor.audit.books import balance_of
from auditor.audit.findings import FindingMaker
from auditor.audit.gating import Gates
from auditor.audit.record import Condition, Exit, conditions, run_record
from auditor.audit.tally import Tally
from auditor.coverage import Ledger
from auditor.formats import encoded
from auditor.model import (
    EXPORT_RECORDS,
    Account,
    ExportRecord,
    Failure,
    Outcome,
    Reason,
    Severity,
    Status,
    Target,
)
from auditor.policies import Breach, Found, Panel, catalogue

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


def target(number: int) -> Target:
    name = f"{number:012}"
    return Target(
        EXPORT_RECORDS, Account(name, None, f"arn:aws:iam::{name}:role/R", None, "s", 3_600, ()), "us-east-1"
    )


def ledger_of(*reasons: Reason | None) -> Ledger:
    targets = [target(number) for number in range(len(reasons))]
    ledger = Ledger(targets)
    for each, reason in zip(targets, reasons, strict=True):
        failure = Failure(reason) if reason else None
        ledger.settle(each, Outcome(pages=0 if reason else 1, requests=2), failure)
    return ledger


def tally_of(
    *severities: Severity,
    unjudged: int = 0,
    states: tuple[object, ...] = (),
    status: Status = Status.UNTRACKED,
) -> Tally:
    """Counts of a run with a stuck export of each severity, and records that no policy can judge."""
    tally, entries = Tally(), catalogue()
    for number, severity in enumerate(severities):
        settings = {"stuck-export": entries["stuck-export"].settings_type(severity=severity)}
        breach = Breach(ExportRecord({"arn": f"arn:{number}"}), "It started.", {})
        made = FindingMaker("run-1", NOW, entries, settings).make(target(0), Found("stuck-export", breach))
        tally.found([replace(made, status=status)])
    panel = Panel(entries, {name: entry.settings_type() for name, entry in entries.items()}, NOW)
    judge = panel.begin(lambda crash: pytest.fail(str(crash)))
    for _ in range(unjudged):
        judge.judge([ExportRecord({})])
    tally.judged(judge)
    for state in states:
        tally.read([ExportRecord({"state": state})])
    return tally


def held(
    *,
    ledger: Ledger | None = None,
    tally: Tally | None = None,
    ledger_error: str | None = None,
    stopped_by: Exit | None = None,
    write_errors: tuple[str, ...] = (),
    **options: Any,
) -> list[Condition]:
    ledger = ledger or ledger_of(None)
    balance = balance_of(ledger)
    return conditions(
        gates=Gates(**options),
        ledger=ledger,
        tally=tally or tally_of(),
        balance=replace(balance, error=ledger_error) if ledger_error else balance,
        stopped_by=stopped_by,
        write_errors=write_errors,
    )


def codes(conditions_held: list[Condition]) -> list[int]:
    return [int(condition.code) for condition in conditions_held]


def record_of(conditions_held: list[Condition], ledger: Ledger, tally: Tally) -> dict[str, Any]:
    return run_record(
        run_id="run-1",
        started_at="2025-03-01T12:00:00Z",
        finished_at="2025-03-01T12:01:00Z",
        botocore_version="1.2.3",
        policies={"stuck-export": "abc"},
        config_digest="digest",
        history=None,
        caller_arn=None,
        endpoint_overrides={"lightsail": "http://127.0.0.1:1"},
        scope={"kind": "full"},
        resumed_at=(),
        ledger=ledger,
        tally=tally,
        balance=balance_of(ledger),
        held=conditions_held,
        accepted={"waivers": {"total": 0}, "accepted_gaps": {"total": 0}},
    )


def result_of(conditions_held: list[Condition], ledger: Ledger) -> Result:
    return Result(Path("folder"), {}, conditions_held, {}, ledger, gave_up=False)


def test_a_run_that_saw_and_judged_all_and_found_nothing_exits_with_0() -> None:
    assert held() == []
    assert result_of([], ledger_of(None)).exit_code == 0
    record = record_of([], ledger_of(None), tally_of())
    assert (record["exit_conditions"], record["exit_code"]) == ([0], 0)


def test_each_condition_has_its_code() -> None:
    assert codes(held(tally=tally_of(Severity.HIGH))) == [1]
    assert codes(held(ledger=ledger_of(None, Reason.ACCESS_DENIED))) == [3]
    assert codes(held(tally=tally_of(unjudged=1))) == [3]
    assert codes(held(write_errors=("disk full",))) == [4]
    assert codes(held(ledger_error="1 without a verdict")) == [5]
    assert codes(held(ledger=ledger_of(None, Reason.INTERNAL_ERROR), min_coverage=0)) == [5]
    assert codes(held(stopped_by=Exit.SIGINT)) == [130]
    assert codes(held(stopped_by=Exit.SIGTERM)) == [143]


def test_where_several_hold_the_gravest_decides_and_all_are_listed() -> None:
    ledger = ledger_of(None, Reason.INTERNAL_ERROR)
    tally = tally_of(Severity.HIGH, unjudged=1)
    every = held(
        ledger=ledger,
        tally=tally,
        ledger_error="does not add up",
        stopped_by=Exit.SIGTERM,
        write_errors=("disk full", "pipe closed"),
    )
    assert list(dict.fromkeys(codes(every))) == [5, 143, 4, 3, 1]
    record = record_of(every, ledger, tally)
    assert (record["exit_conditions"], record["exit_code"]) == ([5, 143, 4, 3, 1], 5)
    assert result_of(every, ledger).exit_code == 5
    for place, expected in enumerate([5, 143, 4, 3, 1]):
        left = [condition for condition in every if codes([condition])[0] in [5, 143, 4, 3, 1][place:]]
        assert result_of(left, ledger).exit_code == expected


def test_codes_hide_each_other_in_the_order_that_was_promised() -> None:
    assert [int(code) for code in Exit] == [2, 5, 130, 143, 4, 3, 1, 0]


def test_every_reason_that_something_was_not_written_is_told() -> None:
    texts = [condition.text for condition in held(write_errors=("a: disk full", "b: pipe closed"))]
    assert len(texts) == 2
    assert "a: disk full" in texts[0]
    assert "b: pipe closed" in texts[1]


@pytest.mark.parametrize("fail_on", list(Severity))
@pytest.mark.parametrize("found", list(Severity))
def test_a_finding_counts_from_fail_on_upwards(found: Severity, fail_on: Severity) -> None:
    order = ["critical", "high", "medium", "low", "info"]
    counts = order.index(found.value) <= order.index(fail_on.value)
    assert codes(held(tally=tally_of(found), fail_on=fail_on)) == ([1] if counts else [])


@pytest.mark.parametrize("fail_on", list(Severity))
@pytest.mark.parametrize("found", list(Severity))
def test_of_what_is_new_alone_a_finding_counts_from_there_upwards_too(
    found: Severity, fail_on: Severity
) -> None:
    expected = [1] if found.at_least(fail_on) else []
    new, open_before = (tally_of(found, status=status) for status in (Status.NEW, Status.RECURRING))
    assert codes(held(tally=new, fail_on=NewFindings(fail_on))) == expected
    assert codes(held(tally=open_before, fail_on=NewFindings(fail_on))) == []
    assert codes(held(tally=open_before, fail_on=fail_on)) == expected


def test_findings_below_high_do_not_fail_a_run_unless_asked_to() -> None:
    assert codes(held(tally=tally_of(Severity.MEDIUM, Severity.LOW, Severity.INFO))) == []
    assert codes(held(tally=tally_of(Severity.MEDIUM, Severity.CRITICAL))) == [1]


def test_with_fail_on_none_no_finding_fails_a_run_and_gaps_still_do() -> None:
    tally = tally_of(Severity.CRITICAL)
    assert codes(held(tally=tally, fail_on=None)) == []
    assert codes(held(tally=tally, fail_on=None, ledger=ledger_of(Reason.THROTTLED))) == [3]


def test_coverage_of_exactly_the_minimum_is_enough() -> None:
    half = ledger_of(None, Reason.TIMEOUT)
    assert codes(held(ledger=half, min_coverage=50)) == []
    assert codes(held(ledger=half, min_coverage=51)) == [3]
    assert codes(held(ledger=half)) == [3]


def test_what_is_skipped_is_no_gap_but_all_skipped_is() -> None:
    assert codes(held(ledger=ledger_of(None, Reason.REGION_NOT_ENABLED))) == []
    assert codes(held(ledger=ledger_of(Reason.REGION_NOT_ENABLED))) == [3]


def test_unjudged_records_up_to_the_maximum_are_enough() -> None:
    assert codes(held(tally=tally_of(unjudged=3), max_unjudged=3)) == []
    assert codes(held(tally=tally_of(unjudged=3), max_unjudged=2)) == [3]


def test_gaps_are_what_was_not_read_to_its_end_and_is_not_proved_empty() -> None:
    ledger = ledger_of(Reason.ACCESS_DENIED, None, Reason.REGION_NOT_ENABLED, Reason.TIMEOUT)
    assert [gap.target for gap in result_of([], ledger).gaps()] == [target(0), target(3)]


def test_run_json_has_the_fields_that_were_promised() -> None:
    ledger = ledger_of(None, None, Reason.REGION_NOT_ENABLED, Reason.ACCESS_DENIED)
    tally = tally_of(
        Severity.HIGH, Severity.HIGH, Severity.LOW, unjudged=2, states=("Failed", "Queued", "Queued")
    )
    record = record_of(held(ledger=ledger, tally=tally), ledger, tally)
    assert json.loads(encoded(record)) == {
        "schema": "auditor.run/1",
        "run_id": "run-1",
        "started_at": "2025-03-01T12:00:00Z",
        "resumed_at": [],
        "finished_at": "2025-03-01T12:01:00Z",
        "versions": {
            "auditor": auditor.__version__,
            "botocore": "1.2.3",
            "policies": {"stuck-export": "abc"},
        },
        "config_digest": "digest",
        "history": None,
        "caller_arn": None,
        "endpoint_overrides": {"lightsail": "http://127.0.0.1:1"},
        "scope": {"kind": "full"},
        "totals": {
            "accounts": 4,
            "targets": {"planned": 4, "complete": 2, "partial": 0, "failed": 1, "skipped": 1},
            "accepted_gaps": 0,
            "requests": 8,
            "records": 3,
            "unknown_states": {"Queued": 2},
            "unjudged": {"records": 2, "by_policy": dict.fromkeys(catalogue(), 2)},
            "findings": {
                "total": 3,
                "by_policy": {"stuck-export": 3},
                "by_severity": {"high": 2, "low": 1},
                "by_status": {"untracked": 3},
                "waived": 0,
            },
        },
        "coverage_percent": 66,
        "coverage_percent_after_accepted": 66,
        "waivers": {"total": 0},
        "accepted_gaps": {"total": 0},
        "exit_conditions": [3, 1],
        "exit_code": 3,
    }


def test_a_state_that_is_missing_or_no_text_is_no_unknown_state() -> None:
    totals = tally_of(states=(None, "", 7, ["Failed"], "Started", "Succeeded")).totals()
    assert (totals["records"], totals["unknown_states"]) == (6, {})


def test_unknown_states_are_told_without_what_is_hostile_and_without_end() -> None:
    hostile = "\x1b[2J" + "x" * 1_000
    totals = tally_of(states=(hostile, *(f"State{number}" for number in range(500)))).totals()
    states = totals["unknown_states"]
    assert sum(states.values()) == 501
    assert len(states) <= 101
    assert all(state.isprintable() and len(state) <= 100 for state in states)
