from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.coverage import Ledger
from auditor.errors import LedgerError
from auditor.model import (
    EXPORT_RECORDS,
    LIST_ACCOUNTS,
    Account,
    Failure,
    Outcome,
    Reason,
    Target,
    Verdict,
    gap_id,
)

# DESIGN.md, "Run folder": a coverage line, and after it the fields that were added since.
FIELDS = (
    "schema source account_id account_name region verdict reason error_code error_message accepted unjudged "
    "pages records requests retries throttles duration_s gap_id"
).split()

PROVED_EMPTY = {Reason.REGION_NOT_ENABLED, Reason.ACCOUNT_SUSPENDED}
GAPS = [reason for reason in Reason if reason not in PROVED_EMPTY]


def target(number: int = 0, region: str = "us-east-1", name: str | None = "prod") -> Target:
    account = Account(
        id=f"{number:012}",
        name=name,
        role_arn=f"arn:aws:iam::{number:012}:role/R",
        external_id="canary",
        session_name="s",
        session_duration=3_600,
        regions=(region,),
    )
    return Target(EXPORT_RECORDS, account, region)


def ledger_of(*ends: tuple[int, Reason | None]) -> Ledger:
    """A ledger with a target for each: how many pages were read of it, and why no more."""
    targets = [target(number) for number in range(len(ends))]
    ledger = Ledger(targets)
    for each, (pages, reason) in zip(targets, ends, strict=True):
        ledger.settle(each, Outcome(pages=pages), Failure(reason) if reason else None)
    return ledger


def verdict_of(pages: int, reason: Reason | None) -> object:
    (line,) = ledger_of((pages, reason)).lines()
    return line["verdict"]


def test_a_target_that_was_read_to_its_last_page_is_complete() -> None:
    assert verdict_of(1, None) == "complete"
    assert verdict_of(7, None) == "complete"


@pytest.mark.parametrize("reason", GAPS)
def test_a_failure_after_some_pages_is_partial_and_before_any_is_failed(reason: Reason) -> None:
    assert verdict_of(3, reason) == "partial"
    assert verdict_of(0, reason) == "failed"


@pytest.mark.parametrize("reason", sorted(PROVED_EMPTY))
def test_a_target_is_skipped_where_it_is_proved_that_there_is_nothing(reason: Reason) -> None:
    assert verdict_of(0, reason) == "skipped"


def test_set_up_in_progress_is_no_proof_that_there_is_nothing() -> None:
    assert verdict_of(0, Reason.ACCOUNT_SETUP_IN_PROGRESS) == "failed"
    assert verdict_of(0, Reason.REGION_SETUP_IN_PROGRESS) == "failed"


@pytest.mark.parametrize(
    ("complete", "failed", "skipped", "percent"),
    [
        (3, 0, 0, 100),
        (0, 3, 0, 0),
        (2, 1, 0, 66),  # 66.7: rounded down
        (999, 1, 0, 99),
        (1, 199, 0, 0),  # 0.5
        (1, 1, 8, 50),
        (2, 0, 5, 100),
        (0, 0, 4, 0),  # nothing to divide by
    ],
)
def test_percent_is_complete_of_all_but_skipped_rounded_down(
    complete: int, failed: int, skipped: int, percent: int
) -> None:
    ends: list[tuple[int, Reason | None]] = [(1, None)] * complete
    ends += [(0, Reason.THROTTLED)] * failed + [(0, Reason.REGION_NOT_ENABLED)] * skipped
    assert ledger_of(*ends).percent() == percent


def test_a_partial_target_counts_as_not_covered() -> None:
    assert ledger_of((9, Reason.TIMEOUT), (1, None)).percent() == 50


def test_what_is_not_settled_yet_counts_as_not_covered() -> None:
    ledger = Ledger([target(1), target(2)])
    assert ledger.percent() == 0
    ledger.settle(target(1), Outcome(pages=1), None)
    assert ledger.percent() == 50


def test_a_plan_of_nothing_covers_nothing() -> None:
    assert Ledger([]).percent() == 0


def test_a_line_has_exactly_the_fields_of_the_schema_null_where_unknown() -> None:
    ledger = Ledger([target(7, "eu-west-1", None)])
    ledger.settle(target(7, "eu-west-1", None), Outcome(pages=1, requests=1), None)
    (line,) = ledger.lines()
    assert list(line) == FIELDS
    assert line == {
        "schema": "auditor.coverage/1",
        "source": "lightsail:GetExportSnapshotRecords",
        "account_id": "000000000007",
        "account_name": None,
        "region": "eu-west-1",
        "verdict": "complete",
        "reason": None,
        "error_code": None,
        "error_message": None,
        "accepted": None,
        "unjudged": {},
        "pages": 1,
        "records": 0,
        "requests": 1,
        "retries": 0,
        "throttles": 0,
        "duration_s": 0.0,
        "gap_id": None,
    }


def test_a_line_tells_what_was_done_and_why_no_more() -> None:
    ledger = Ledger([target()])
    outcome = Outcome(
        unjudged={"stuck-export": 2},
        pages=3,
        records=120,
        requests=9,
        retries=5,
        throttles=4,
        duration_s=1.23456,
    )
    failure = Failure(Reason.THROTTLED, "ThrottlingException", "Rate exceeded")
    ledger.settle(target(), outcome, failure)
    (line,) = ledger.lines()
    told: dict[str, Any] = {
        "verdict": "partial",
        "reason": "throttled",
        "error_code": "ThrottlingException",
        "error_message": "Rate exceeded",
        "unjudged": {"stuck-export": 2},
        "pages": 3,
        "records": 120,
        "requests": 9,
        "retries": 5,
        "throttles": 4,
        "duration_s": 1.235,
    }
    assert line == line | told
    assert line["gap_id"] == gap_id("000000000000", EXPORT_RECORDS, "throttled")
    assert list(line) == FIELDS


def test_lines_stand_in_the_order_of_the_plan_whatever_ended_first() -> None:
    targets = [target(number) for number in (3, 1, 2)]
    ledger = Ledger(targets)
    for each in reversed(targets):
        ledger.settle(each, Outcome(pages=1), None)
    assert [line["account_id"][-1] for line in ledger.lines()] == ["3", "1", "2"]


def test_a_ledger_that_adds_up_is_accepted() -> None:
    ledger_of((1, None), (0, Reason.ACCESS_DENIED), (2, Reason.DEADLINE)).check()


def test_a_target_without_a_verdict_is_a_breach() -> None:
    ledger = Ledger([target(1), target(2)])
    ledger.settle(target(1), Outcome(pages=1), None)
    with pytest.raises(LedgerError, match="1 without a verdict"):
        ledger.check()


def test_a_target_that_was_never_planned_is_a_breach_and_is_not_counted() -> None:
    ledger = Ledger([target(1)])
    ledger.settle(target(1), Outcome(pages=1), None)
    ledger.settle(target(2), Outcome(pages=1), None)
    with pytest.raises(LedgerError, match="000000000002 us-east-1 was not planned"):
        ledger.check()
    assert ledger.settled == 1
    assert len(list(ledger.lines())) == 1


def test_a_second_verdict_is_a_breach_and_the_first_stands() -> None:
    ledger = Ledger([target(1)])
    ledger.settle(target(1), Outcome(), Failure(Reason.ACCESS_DENIED))
    ledger.settle(target(1), Outcome(pages=1), None)
    with pytest.raises(LedgerError, match="settled twice"):
        ledger.check()
    assert [line["verdict"] for line in ledger.lines()] == ["failed"]
    assert ledger.percent() == 0


def test_a_target_that_is_planned_twice_is_a_breach() -> None:
    ledger = Ledger([target(1), target(1)])
    ledger.settle(target(1), Outcome(pages=1), None)
    with pytest.raises(LedgerError, match="2 targets planned, 1 known"):
        ledger.check()


def test_the_rest_is_settled_and_what_has_a_verdict_keeps_it() -> None:
    ledger = Ledger([target(number) for number in range(3)])
    ledger.settle(target(1), Outcome(pages=1, requests=4), None)
    ledger.settle_the_rest(Failure(Reason.DEADLINE, None, "over"))
    ledger.check()
    told = [(line["verdict"], line["reason"], line["error_message"]) for line in ledger.lines()]
    never_begun = ("failed", "deadline", "over")
    assert told == [never_begun, ("complete", None, None), never_begun]
    assert (ledger.planned, ledger.settled, ledger.requests) == (3, 3, 4)


def test_an_external_id_is_in_no_line() -> None:
    assert "canary" not in repr(list(ledger_of((1, None), (0, Reason.ACCESS_DENIED)).lines()))


_ends = st.tuples(st.integers(0, 3), st.none() | st.sampled_from(list(Reason)))


@given(st.dictionaries(st.integers(0, 30), st.none() | _ends, max_size=12), st.randoms(use_true_random=False))
def test_what_was_planned_is_the_union_of_the_verdicts(
    drawn: dict[int, tuple[int, Reason | None] | None], random: Any
) -> None:
    ledger = Ledger([target(number) for number in drawn])
    begun = [(number, end) for number, end in drawn.items() if end is not None]
    random.shuffle(begun)
    for number, (pages, reason) in begun:
        ledger.settle(target(number), Outcome(pages=pages), Failure(reason) if reason else None)
    ledger.settle_the_rest(Failure(Reason.INTERRUPTED))
    ledger.check()
    lines = list(ledger.lines())
    assert [line["account_id"] for line in lines] == [f"{number:012}" for number in drawn]
    assert {line["verdict"] for line in lines} <= set(Verdict)
    assert sum(ledger.verdicts.values()) == ledger.planned == ledger.settled == len(drawn)
    by_verdict = [sum(line["verdict"] == verdict for line in lines) for verdict in Verdict]
    assert by_verdict == [ledger.verdicts[verdict] for verdict in Verdict]
    assert all((line["reason"] is None) == (line["verdict"] == "complete") for line in lines)
    assert all(line["reason"] in PROVED_EMPTY for line in lines if line["verdict"] == "skipped")


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.sampled_from(list(Reason))), max_size=8))
def test_the_failures_are_the_lines_that_have_one(ends: list[tuple[int, Reason | None]]) -> None:
    ledger = ledger_of(*ends)
    expected = [(each, outcome) for each, outcome in ledger.settled_lines() if outcome.failure is not None]
    assert list(ledger.failures()) == expected
    assert ledger.accounts() == {each.account.id for each, _ in ledger.settled_lines()}


def test_what_stands_for_the_organisation_is_no_account() -> None:
    own = target()
    assert not Ledger([Target(LIST_ACCOUNTS, own.account, own.region)]).accounts()
