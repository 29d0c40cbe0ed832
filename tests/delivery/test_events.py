"""Gaps as receivers are told of them, and the run itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditor.delivery import gap_events, run_event
from auditor.model import (
    EXPORT_RECORDS,
    SNAPSHOTS,
    Accepted,
    Account,
    Failure,
    Outcome,
    Reason,
    Target,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCEPTED = Accepted("platform", "an SCP", "2027-03-31")
DENIED = Failure(Reason.ACCESS_DENIED, "AccessDenied", "not allowed")


def _failed(  # noqa: PLR0913 -- each is what a gap may differ by
    number: int,
    region: str,
    failure: Failure = DENIED,
    *,
    source: str = EXPORT_RECORDS,
    accepted: Accepted | None = None,
    verdict: Verdict = Verdict.FAILED,
) -> tuple[Target, Outcome]:
    account = Account(f"{number:012}", f"account-{number}", "arn", None, "session", 3600, (region,))
    return Target(source, account, region), Outcome(verdict, failure, accepted)


def _told(failures: Iterable[tuple[Target, Outcome]], run_id: str = "run-1") -> list[dict[str, Any]]:
    events = gap_events(run_id, "2026-11-25T01:00:00Z", failures)
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
        "account_id": "000000000001",
        "account_name": "account-1",
        "accounts": ["000000000001"],
        "source": EXPORT_RECORDS,
        "reason": "access-denied",
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
    assert _told([_failed(1, "ap-southeast-3", off, verdict=Verdict.SKIPPED)]) == []


def test_hostile_words_of_aws_are_escaped() -> None:
    (event,) = gap_events(
        "run-1", "now", [_failed(1, "us-east-1", Failure(Reason.ACCESS_DENIED, "x", "\x7f\u2028\ud800"))]
    )
    assert event.body.isascii()
    assert b"\x7f" not in event.body


def test_the_event_of_a_run_is_run_json_with_an_id_that_a_resumed_run_has_too() -> None:
    record = {"schema": "auditor.run/1", "run_id": "run-1", "exit_code": 0}
    event = run_event(record)
    assert json.loads(event.body) == {**record, "event_id": event.event_id}
    assert run_event({**record, "exit_code": 3}).event_id == event.event_id
    assert run_event({**record, "run_id": "run-2"}).event_id != event.event_id
