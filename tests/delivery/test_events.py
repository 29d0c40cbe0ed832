"""Gaps as receivers are told of them, and the run itself."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from auditor.coverage import Ledger
from auditor.delivery import gap_events, run_event
from auditor.formats import formats
from auditor.model import (
    EXPORT_RECORDS,
    SNAPSHOTS,
    Accepted,
    Account,
    Failure,
    Outcome,
    Reason,
    Target,
)
from tests.formats.made import START, write

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCEPTED = Accepted("platform", "an SCP", "2027-03-31")
DENIED = Failure(Reason.ACCESS_DENIED, "AccessDenied", "not allowed")
NOW = "2026-11-25T01:00:00Z"


@dataclass(frozen=True)
class Settled:
    """A target as it ended."""

    target: Target
    outcome: Outcome
    failure: Failure | None
    accepted: Accepted | None = None


def _target(number: int, region: str, source: str = EXPORT_RECORDS) -> Target:
    account = Account(f"{number:012}", f"account-{number}", "arn", None, "session", 3600, (region,))
    return Target(source, account, region)


def _failed(
    number: int,
    region: str,
    failure: Failure = DENIED,
    *,
    source: str = EXPORT_RECORDS,
    accepted: Accepted | None = None,
) -> Settled:
    return Settled(_target(number, region, source), Outcome(), failure, accepted)


def _unjudged(number: int, region: str, **policies: int) -> Settled:
    unjudged = {policy.replace("_", "-"): records for policy, records in policies.items()}
    return Settled(_target(number, region), Outcome(pages=1, records=9, unjudged=unjudged), None)


def _ledger(settled: Iterable[Settled]) -> Ledger:
    """Return a ledger in which all has ended so."""
    every = list(settled)
    accepted = {each.target: each.accepted for each in every}
    ledger = Ledger(accepted, lambda target, _failure: accepted[target])
    for each in every:
        ledger.settle(each.target, each.outcome, each.failure)
    return ledger


def _told(settled: Iterable[Settled], run_id: str = "run-1") -> list[dict[str, Any]]:
    events = gap_events(run_id, NOW, _ledger(settled).lines_of_gaps())
    told = [json.loads(event.body) for event in events]
    assert [event.event_id for event in events] == [each["event_id"] for each in told]
    assert {event.kind for event in events} <= {"gap"}
    return told


def test_what_is_missing_in_many_regions_for_one_reason_is_one_gap() -> None:
    (gap,) = _told([_failed(1, "us-east-1"), _failed(1, "eu-west-1"), _failed(1, "eu-west-2")])

    assert gap == {
        "schema": "auditor.gap/1",
        "gap_id": gap["gap_id"],
        "event_id": gap["event_id"],
        "kind": "unread",
        "account_id": "000000000001",
        "account_name": "account-1",
        "accounts": ["000000000001"],
        "source": EXPORT_RECORDS,
        "reason": "access-denied",
        "policy": None,
        "records": None,
        "regions": ["eu-west-1", "eu-west-2", "us-east-1"],
        "targets": 3,
        "error_code": "AccessDenied",
        "error_message": "not allowed",
        "accepted": None,
        "accepted_targets": 0,
        "observed_at": "2026-11-25T01:00:00Z",
        "run_id": "run-1",
    }


def test_another_account_source_or_reason_is_another_gap() -> None:
    told = _told(
        [
            _failed(1, "us-east-1"),
            _failed(2, "us-east-1"),
            _failed(1, "us-east-1", source=SNAPSHOTS),
            _failed(1, "eu-west-1", Failure(Reason.THROTTLED)),
        ]
    )
    assert len({gap["gap_id"] for gap in told}) == 4


def test_a_gap_keeps_its_id_from_night_to_night_and_its_event_does_not() -> None:
    ((first,), (second,)) = (
        _told([_failed(1, "us-east-1")], "run-1"),
        _told([_failed(1, "eu-west-1", Failure(Reason.ACCESS_DENIED, "Other", "words"))], "run-2"),
    )
    assert first["gap_id"] == second["gap_id"]
    assert first["event_id"] != second["event_id"]


def test_lost_base_credentials_are_one_event_and_not_one_for_each_account() -> None:
    lost = Failure(Reason.EXPIRED_CREDENTIALS, "ExpiredToken", "The security token has expired")
    told = _told(
        [
            *(
                _failed(number, region, lost)
                for number in range(400)
                for region in ("us-east-1", "eu-west-1")
            ),
            _failed(3, "us-east-2"),
        ]
    )
    shared, own = told
    assert (shared["account_id"], shared["source"], shared["reason"]) == (None, None, "expired-credentials")
    assert (shared["targets"], len(shared["accounts"])) == (800, 400)
    assert (own["account_id"], own["targets"]) == ("000000000003", 1)


def test_credentials_of_one_account_alone_that_expired_are_a_gap_of_it() -> None:
    (gap,) = _told([_failed(1, "us-east-1", Failure(Reason.EXPIRED_CREDENTIALS, "ExpiredToken", "ended"))])
    assert gap["account_id"] == "000000000001"


def test_what_was_refused_alike_in_two_accounts_is_a_gap_of_each() -> None:
    assert len(_told([_failed(1, "us-east-1"), _failed(2, "us-east-1")])) == 2


def test_a_gap_is_accepted_where_all_of_it_is() -> None:
    (whole,) = _told([_failed(1, "us-east-1", accepted=ACCEPTED)])
    (half,) = _told([_failed(1, "us-east-1", accepted=ACCEPTED), _failed(1, "eu-west-1")])
    assert whole["accepted"] == {"owner": "platform", "explanation": "an SCP", "until": "2027-03-31"}
    assert (half["accepted"], half["accepted_targets"], half["targets"]) == (None, 1, 2)


def test_what_is_proved_empty_is_no_gap() -> None:
    off = Failure(Reason.REGION_NOT_ENABLED)
    assert _told([_failed(1, "ap-southeast-3", off)]) == []


def test_records_that_a_policy_could_not_judge_are_one_gap_of_it_with_their_count() -> None:
    told = _told(
        [
            _unjudged(1, "us-east-1", stuck_export=2, public_export=1),
            _unjudged(1, "eu-west-1", stuck_export=3),
            _unjudged(2, "us-east-1", stuck_export=1),
        ]
    )
    keys = ("kind", "account_id", "source", "reason", "policy", "records", "regions", "targets", "accepted")
    first = "000000000001"
    assert [tuple(gap[key] for key in keys) for gap in told] == [
        (
            "unjudged",
            first,
            EXPORT_RECORDS,
            "unjudged",
            "stuck-export",
            5,
            ["eu-west-1", "us-east-1"],
            2,
            None,
        ),
        ("unjudged", first, EXPORT_RECORDS, "unjudged", "public-export", 1, ["us-east-1"], 1, None),
        ("unjudged", "000000000002", EXPORT_RECORDS, "unjudged", "stuck-export", 1, ["us-east-1"], 1, None),
    ]
    assert len({gap["gap_id"] for gap in told}) == 3


def test_what_was_read_in_part_and_judged_in_part_is_two_gaps() -> None:
    partial = Settled(
        _target(1, "us-east-1"), Outcome(pages=1, unjudged={"stuck-export": 2}), Failure(Reason.THROTTLED)
    )
    assert [(gap["kind"], gap["reason"]) for gap in _told([partial])] == [
        ("unread", "throttled"),
        ("unjudged", "unjudged"),
    ]


LOST = Failure(Reason.EXPIRED_CREDENTIALS, "ExpiredToken", "The security token has expired")
GAPS = (
    *(_failed(number, region, LOST) for number in (1, 2) for region in ("us-east-1", "eu-west-1")),
    _failed(3, "us-east-1"),
    _failed(3, "eu-west-1"),
    _failed(3, "us-east-1", source=SNAPSHOTS, accepted=ACCEPTED),
    _unjudged(4, "us-east-1", stuck_export=2),
    _unjudged(4, "eu-west-1", stuck_export=3),
)


def _ids(name: str, written: bytes) -> list[str]:
    """Return the id of each gap in a document, as often as it stands there."""
    if name == "parquet":
        rows = parquet.read_table(pa.BufferReader(written)).to_pylist()
        return [row["gap_id"] for row in rows if row["gap_id"]]
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(written.decode(), newline="")))
        return [row["gap_id"] for row in rows if row["gap_id"]]
    of_formats = {
        "ocsf": r'"gap_id":"([0-9a-f]{64})"',
        "asff": r'"auditor/gap_id":"([0-9a-f]{64})"',
        "sarif": r'"gap_id":"([0-9a-f]{64})"',
        "junit": r"gap_id: ([0-9a-f]{64})",
        "json": r'"gap_id":"([0-9a-f]{64})"',
    }
    return re.findall(of_formats[name], written.decode())


@pytest.mark.parametrize("name", ["ocsf", "asff", "sarif", "junit", "csv", "parquet", "json"])
def test_a_gap_has_one_id_wherever_it_is_told(name: str) -> None:
    ledger = _ledger(GAPS)
    delivered = {json.loads(event.body)["gap_id"] for event in gap_events("run-1", NOW, ledger.lines())}
    written = write(formats()[name](START), coverage=list(ledger.lines()))
    assert len(delivered) == 4
    told = set(_ids(name, written))
    if name == "json":
        # A coverage line is a target's: which policies could not judge, and how much, stands under unjudged.
        assert told < delivered
        assert len(told) == 3
    else:
        assert told == delivered


def test_hostile_words_of_aws_are_escaped() -> None:
    hostile = _failed(1, "us-east-1", Failure(Reason.ACCESS_DENIED, "x", "\x7f\u2028\ud800"))
    (event,) = gap_events("run-1", NOW, _ledger([hostile]).lines_of_gaps())
    assert event.body.isascii()
    assert b"\x7f" not in event.body


def test_the_event_of_a_run_is_run_json_with_an_id_that_a_resumed_run_has_too() -> None:
    record = {"schema": "auditor.run/1", "run_id": "run-1", "exit_code": 0}
    event = run_event(record)
    assert json.loads(event.body) == {**record, "event_id": event.event_id}
    assert run_event({**record, "exit_code": 3}).event_id == event.event_id
    assert run_event({**record, "run_id": "run-2"}).event_id != event.event_id
