"""A whole run with a destination: what was found, what could not be seen, and last the run itself are received."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from auditor.audit import FormatRequest, RunOptions
from auditor.config import History, SQLiteStore
from auditor.history import read_history
from auditor.history.reading import run_lines
from auditor.model import EXPORT_RECORDS
from auditor.simulator.faults import Fault, FaultKind
from tests.delivery.threaded import Receiver
from tests.formats.ocsf_schemas import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.audit.conftest import Auditing, EstateMaker


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as made:
        yield made


def sending_to(receiver: Receiver, **settings: str) -> str:
    told = "".join(f", {name}: {value}" for name, value in settings.items())
    return f"history: {{}}\ndestinations:\n  hook: {{type: webhook, url: '{receiver.url}', secret_env: HOOK_KEY{told}}}\n"


async def test_findings_gaps_and_last_the_run_are_received(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    estate = estate_of(3)
    denied = Fault(FaultKind.ACCESS_DENIED, estate.accounts[0].id)
    seen = await auditing(estate, denied, extra=sending_to(receiver))
    findings = [event for event in receiver.events if event["schema"] == "auditor.finding/1"]
    assert {each["finding_id"] for each in findings} == {each["finding_id"] for each in seen.findings}
    assert {each["event_id"] for each in findings} == {each["event_id"] for each in seen.findings}
    (gap,) = (event for event in receiver.events if event["schema"] == "auditor.gap/1")
    assert (gap["account_id"], gap["reason"], gap["targets"]) == (estate.accounts[0].id, "access-denied", 2)
    assert receiver.schemas[-1] == "auditor.run/1"
    assert receiver.schemas.count("auditor.run/1") == 1
    assert receiver.events[-1]["run_id"] == seen.run["run_id"]
    assert 4 not in seen.run["exit_conditions"]


async def test_records_that_could_not_be_judged_are_received_as_gaps_with_their_count(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    estate = estate_of(3, afterlife=True, oddities=True, records_per_target=80)
    seen = await auditing(estate, extra=sending_to(receiver))
    gaps = [event for event in receiver.events if event["schema"] == "auditor.gap/1"]
    told: Counter[tuple[str, str]] = Counter()
    for gap in gaps:
        assert (gap["kind"], gap["reason"], gap["source"]) == ("unjudged", "unjudged", EXPORT_RECORDS)
        told[gap["account_id"], gap["policy"]] += gap["records"]
    counted: Counter[tuple[str, str]] = Counter()
    for line in seen.coverage:
        for policy, records in line["unjudged"].items():
            counted[line["account_id"], policy] += records
    assert told == counted
    assert len(gaps) == len(counted) > 1
    assert {gap["gap_id"] for gap in gaps}.isdisjoint({line["gap_id"] for line in seen.coverage})


async def test_a_clean_night_is_told_of_too(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    await auditing(estate_of(1, records_per_target=0), extra=sending_to(receiver))
    assert receiver.schemas == ["auditor.run/1"]


async def test_ocsf_is_received_as_the_file_has_it_and_last_the_run_as_a_scan(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    estate = estate_of(3)
    denied = Fault(FaultKind.ACCESS_DENIED, estate.accounts[0].id)
    options = RunOptions(formats=(FormatRequest("ocsf"),))
    seen = await auditing(estate, denied, extra=sending_to(receiver, format="ocsf"), options=options)

    *told, scan = receiver.events
    lines = (seen.result.folder / "findings.ocsf.jsonl").read_text("utf-8").splitlines()
    written = {event["metadata"]["uid"]: event for event in map(json.loads, lines)}
    for event in receiver.events:
        validate(event)
    assert {event["metadata"]["uid"] for event in told} == set(written)
    for event in told:
        same = written[event["metadata"]["uid"]]
        assert {**event, "unmapped": None} == {**same, "unmapped": None}
    assert (scan["class_name"], scan["status"], scan["metadata"]["correlation_uid"]) == (
        "Scan Activity",
        "Failure",
        seen.run["run_id"],
    )
    assert scan["num_detections"] == len(seen.findings) > 0


async def test_changes_alone_leave_out_what_is_merely_recurring(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    estate = estate_of(1)
    extra = sending_to(receiver, send="changes")
    await auditing(estate, extra=extra)
    assert receiver.schemas.count("auditor.finding/1") == len(estate.truth)
    receiver.events.clear()
    await auditing(estate, extra=extra)
    assert receiver.schemas == ["auditor.run/1"]


async def test_what_a_dead_destination_did_not_take_is_exit_4_and_comes_the_next_night(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    estate = estate_of(1)
    extra = sending_to(receiver, drain="2s")
    receiver.status = 503
    seen = await auditing(estate, extra=extra)
    assert seen.found == estate.truth
    assert seen.result.exit_code == 4
    assert "auditor deliver" in seen.result.conditions[0].text
    assert receiver.events == []
    with read_history(History(SQLiteStore(auditing.folder / "auditor-history.sqlite3"))) as history:
        assert [run["exit_code"] for run in run_lines(history.database, 1)] == [4]
    receiver.status = 204
    second = await auditing(estate, extra=sending_to(receiver, drain="20s"))
    assert 4 not in second.run["exit_conditions"]
    findings = [event for event in receiver.events if event["schema"] == "auditor.finding/1"]
    assert [each["status"] for each in findings].count("new") == len(estate.truth)
    assert [each["status"] for each in findings].count("recurring") == len(estate.truth)
    assert receiver.schemas.count("auditor.run/1") == 2


async def test_once_the_deadline_is_over_a_dead_destination_is_waited_for_no_more(
    auditing: Auditing, estate_of: EstateMaker, receiver: Receiver
) -> None:
    estate = estate_of(2)
    hangs = Fault(FaultKind.HANG, estate.accounts[1].id)
    receiver.status = 503
    options = RunOptions(deadline=timedelta(seconds=2))
    seen = await auditing(estate, hangs, extra=sending_to(receiver, drain="30s"), options=options)
    took = datetime.fromisoformat(seen.run["finished_at"]) - datetime.fromisoformat(seen.run["started_at"])
    assert took < timedelta(
        seconds=2 + 15
    )  # three are promised; a busy machine takes more, and none takes 30
    assert seen.reasons[estate.accounts[1].id, "us-east-1"] == ("failed", "deadline")
    assert seen.run["exit_conditions"][:2] == [4, 3]
    assert seen.run["deliveries"][0]["left"] == len(seen.findings) + 2, "with the gap and the run"
