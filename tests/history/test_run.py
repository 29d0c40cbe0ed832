"""One run of the history: what goes on after it died, what is counted, and what is to be sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.errors import UsageError
from auditor.history import Destination, Event
from auditor.history.reading import run_lines
from auditor.model import EXPORT_RECORDS, Place, Status
from tests.history.conftest import (
    ACCOUNT,
    FAILED,
    POLICY,
    REGION,
    Night,
    Nights,
    account,
    arn,
    coverage,
    finding,
    opened,
    record,
)

if TYPE_CHECKING:
    from auditor.config import SQLiteStore

SPLUNK = Destination("splunk")
CHANGES = Destination("changes", changes_only=True)
PLACE = Place(account(), REGION, (EXPORT_RECORDS,))


def _never(_arn: str) -> bool:
    return False


def test_what_a_run_that_goes_on_finds_again_keeps_its_status_and_is_sent_once(
    nights: Nights, store: SQLiteStore
) -> None:
    night = Night(found=[finding(run_id="run-1")], destinations=(SPLUNK,))
    with opened(store) as history:
        (first,) = history.begin(nights.begun(night, 1)).see(night.found)

    with opened(store) as history:
        run = history.begin(nights.begun(night, 1))
        (again,) = run.see(night.found)
        due = history.outbox.pending("splunk", 10, now=0.0)
        told = list(run.told())

    assert first.status is Status.NEW
    assert again == first
    assert [each.event.event_id for each in due] == [first.event_id]
    assert told == [[first]]


def test_a_finding_twice_in_one_call_is_one(nights: Nights, store: SQLiteStore) -> None:
    with opened(store) as history:
        told = history.begin(nights.begun(Night(), 1)).see([finding(), finding()])

    assert [each.status for each in told] == [Status.NEW, Status.NEW]


def test_a_place_that_is_done_again_finds_what_it_had_not_found(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    failed = Night(outcomes={(ACCOUNT, REGION): {EXPORT_RECORDS: FAILED}}, destinations=(SPLUNK,))
    with opened(store) as history:
        run = history.begin(nights.begun(failed, 2))
        (not_seen,) = run.settle(PLACE, failed.look(), _never)
        (once_more,) = run.settle(PLACE, failed.look(), _never)
        (seen,) = run.see([finding()])
        settled = run.settle(PLACE, Night().look(), _never)
        due = history.outbox.pending("splunk", 10, now=0.0)
        run.finish(record(2), [])

    assert (not_seen.status, once_more.event_id) == (Status.NOT_SEEN, not_seen.event_id)
    assert (seen.status, settled) == (Status.RECURRING, [])
    assert [each.event.event_id for each in due] == [not_seen.event_id, seen.event_id]


def test_a_run_that_goes_on_does_not_look_twice_with_new_settings(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding()]))
    other = Night(policies={POLICY: "b"}, read=frozenset({arn(1)}))
    for _ in range(2):
        with opened(store) as history:
            run = history.begin(nights.begun(other, 2))
            (told,) = run.settle(PLACE, other.look(), _never)

            assert told.status is Status.NOT_SEEN
    with opened(store) as history:
        history.begin(nights.begun(other, 2)).finish(record(2), [])
    nights.count = 2

    resolved = nights.of(other)

    assert resolved is not None
    assert resolved.status is Status.RESOLVED


def test_a_run_that_died_after_its_end_says_its_last_once(nights: Nights, store: SQLiteStore) -> None:
    denied = Night(outcomes={(ACCOUNT, REGION): {EXPORT_RECORDS: FAILED}}, destinations=(SPLUNK,))
    for number in (1, 2):
        with opened(store) as history:
            run = history.begin(nights.begun(denied, 1))
            run.finish(record(number), coverage(denied), [Event("the-end", "run", b"{}")])
            due = history.outbox.pending("splunk", 10, now=0.0)
            history.outbox.acknowledge("splunk", [each.position for each in due])

            assert [each.event.event_id for each in due] == (["the-end"] if number == 1 else [])
    with opened(store) as history:
        (line,) = run_lines(history.database, 10)
    assert line["finished_at"] == record(2)["finished_at"]


def test_a_run_does_not_go_on_once_another_has_begun(nights: Nights, store: SQLiteStore) -> None:
    with opened(store) as history:
        history.begin(nights.begun(Night(), 1))
    with opened(store) as history:
        history.begin(nights.begun(Night(), 2))

    with (
        opened(store) as history,
        pytest.raises(UsageError, match="run run-1 can't go on: another has begun"),
    ):
        history.begin(nights.begun(Night(), 1))


def test_a_destination_is_told_of_each_word_or_of_changes_alone(nights: Nights, store: SQLiteStore) -> None:
    night = Night(found=[finding()], destinations=(SPLUNK, CHANGES))
    nights(night)
    nights(night)
    nights(replace(night, found=[]))

    with opened(store) as history:
        every, changes = (history.outbox.pending(name, 10, now=0.0) for name in ("splunk", "changes"))

    assert [json.loads(each.event.body)["status"] for each in every] == ["new", "recurring", "resolved"]
    assert [json.loads(each.event.body)["status"] for each in changes] == ["new", "resolved"]
    assert [each.run_id for each in every] == ["run-1", "run-2", "run-3"]
    assert json.loads(every[2].event.body)["event_id"] == every[2].event.event_id


def test_what_one_destination_has_taken_stays_for_the_other(nights: Nights, store: SQLiteStore) -> None:
    nights(Night(found=[finding(1), finding(2)], destinations=(SPLUNK, CHANGES)))
    with opened(store) as history:
        outbox = history.outbox
        first, second = outbox.pending("splunk", 10, now=0.0)

        outbox.acknowledge("splunk", [first.position])

        assert outbox.pending("splunk", 10, now=0.0) == [second]
        assert outbox.left() == {"splunk": 1, "changes": 2}
        outbox.refuse("changes", [first.position, second.position])
        outbox.acknowledge("splunk", [second.position])
        assert outbox.left() == {}


def test_what_is_postponed_holds_up_what_follows_about_it_and_nothing_else(
    nights: Nights, store: SQLiteStore
) -> None:
    night = Night(found=[finding(1), finding(2)], destinations=(SPLUNK,))
    nights(night)
    nights(night)
    with opened(store) as history:
        outbox = history.outbox
        first = outbox.pending("splunk", 10, now=0.0)

        outbox.postpone("splunk", [first[0].position], not_before=100.0, error="503")

        assert outbox.pending("splunk", 10, now=50.0) == [first[1], first[3]]
        later = outbox.pending("splunk", 10, now=100.0)
        assert [each.position for each in later] == [each.position for each in first]
        assert (later[0].attempts, later[0].last_error) == (1, "503")
        assert outbox.pending("splunk", 1, now=100.0, after=first[0].position) == [first[1]]
        # What was left there on the way holds up what follows too, though its time has come meanwhile.
        assert outbox.pending("splunk", 10, now=100.0, after=first[1].position) == []


def test_events_that_are_no_findings_are_posted_once(nights: Nights, store: SQLiteStore) -> None:
    night = Night(destinations=(SPLUNK,))
    gap, ended = Event("gap-1", "gap", b"{}"), Event("run-1", "run", b'{"run":1}')
    with opened(store) as history:
        run = history.begin(nights.begun(night, 1))
        run.post([gap])
        run.post([gap])
        run.finish(record(1), coverage(night), [ended])

        assert [each.event for each in history.outbox.pending("splunk", 10, now=0.0)] == [gap, ended]
