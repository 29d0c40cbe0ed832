"""OCSF in place of our JSON: made as it is sent, valid in every version, and cut by the same rule."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditor.config import Receiver
from auditor.coverage import Ledger
from auditor.delivery import destination_settings, gap_events, run_event
from auditor.delivery.fitting import fitted
from auditor.delivery.forms import FreeForm, say_of
from auditor.errors import UsageError
from auditor.formats import formats
from auditor.history.documents import document
from auditor.model import EXPORT_RECORDS, Account, Failure, Outcome, Reason, Status, Target
from tests.delivery.conftest import Post, made
from tests.delivery.receiver import http, receiving
from tests.formats.made import EVERY_STATUS, HOSTILE, HOSTILE_FINDING, LONG_FINDING, RUN, START, write
from tests.formats.ocsf_schemas import VERSIONS, validate
from tests.history.conftest import finding as found_at

if TYPE_CHECKING:
    from auditor.delivery.forms import Form
    from auditor.history import Event

KEY = "a-key"
found = partial(found_at, observed_at=START.started_at)
RECORD = RUN | {
    "exit_conditions": [0],
    "exit_code": 0,
    "totals": RUN["totals"] | {"findings": {"total": 3, "by_status": {"new": 2, "resolved": 1}, "waived": 0}},
}


def _say(version: str) -> Form:
    settings = FreeForm.model_validate({"type": "webhook", "format": "ocsf", "ocsf_version": version})
    say = say_of(Receiver("siem", settings), START.policies)
    assert say is not None
    return partial(say, said_at=START.started_at)


def _ledger(message: str = "not allowed") -> Ledger:
    regions = ("us-east-1", "eu-west-1")
    account = Account("000000000001", "payments", "arn", None, "session", 3600, regions)
    targets = [Target(EXPORT_RECORDS, account, region) for region in regions]
    ledger = Ledger(targets)
    ledger.settle(targets[0], Outcome(), Failure(Reason.ACCESS_DENIED, "AccessDenied", message))
    ledger.settle(targets[1], Outcome(pages=1, unjudged={"stuck-export": 2}), None)
    return ledger


def _gaps(ledger: Ledger) -> list[Event]:
    return gap_events(START.run_id, START.started_at, ledger.lines_of_gaps())


def _without_scope(event: dict[str, Any]) -> dict[str, Any]:
    """The scope of a run is told by its own event: none of the others has it in the outbox."""
    unmapped = {key: value for key, value in event["unmapped"].items() if not key.startswith("scope")}
    return event | {"unmapped": unmapped}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_destination_is_told_is_what_the_file_says(version: str) -> None:
    ledger = _ledger()
    every = [*EVERY_STATUS.values(), LONG_FINDING]
    lines = write(formats()["ocsf"](START, version), every, coverage=list(ledger.lines())).splitlines()
    say = _say(version)
    told = [say(json.loads(document(each))) for each in every]
    told += [say(json.loads(event.body)) for event in _gaps(ledger)]
    for event in json.loads(json.dumps(told, default=_plain)):
        validate(event)
        assert event == _without_scope(json.loads(lines.pop(0)))
    assert lines == []


def _plain(value: Any) -> Any:
    return {name: getattr(value, name) for name in value.__slots__}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_webhook_is_told_in_ocsf_and_last_of_the_run(post: Post, version: str) -> None:
    post.fill([found(1), found(2)], [*_gaps(_ledger()), run_event(RECORD)])
    async with receiving(lambda _asked: http(200)) as receiver:
        webhook = made("webhook", {"secret": KEY}, url=receiver.url, format="ocsf", ocsf_version=version)
        report = await post.send(webhook)

    events = [json.loads(line) for asked in receiver.asked for line in asked.body.splitlines()]
    for event in events:
        validate(event)
    assert (report.taken, report.fault) == (5, None)
    assert [event["class_uid"] for event in events] == [2003, 2003, 2003, 2003, 6007]
    assert {event["metadata"]["version"] for event in events} == {version}
    assert [event["compliance"]["status"] for event in events[:-1]] == ["Fail", "Fail", "Unknown", "Unknown"]


async def test_the_ids_of_events_are_those_that_the_outbox_has(post: Post) -> None:
    gaps = _gaps(_ledger())
    post.fill([], [*gaps, run_event(RECORD)])
    async with receiving(lambda _asked: http(200)) as receiver:
        await post.send(made("webhook", {"secret": KEY}, url=receiver.url, format="ocsf"))

    events = [json.loads(line) for asked in receiver.asked for line in asked.body.splitlines()]
    assert [each["metadata"]["uid"] for each in events] == [
        *(gap.event_id for gap in gaps),
        run_event(RECORD).event_id,
    ]
    assert [each["finding_info"]["uid"] for each in events[:-1]] == [
        json.loads(gap.body)["gap_id"] for gap in gaps
    ]


async def test_what_is_gone_is_told_of_as_of_the_run_that_says_so(post: Post) -> None:
    gone = replace(found(1, observed_at="2026-01-01T00:00:00Z"), status=Status.RESOLVED)
    post.fill([gone])
    async with receiving(lambda _asked: http(200)) as receiver:
        await post.send(made("webhook", {"secret": KEY}, url=receiver.url, format="ocsf"))
    (event,) = (json.loads(line) for asked in receiver.asked for line in asked.body.splitlines())
    began = datetime.fromisoformat(post.nights.started(1)).timestamp()
    assert event["time"] == event["finding_info"]["modified_time"] == began * 1_000
    assert event["finding_info"]["last_seen_time"] == 1_767_225_600_000


@pytest.mark.parametrize(
    ("conditions", "activity", "status"),
    [
        ([0], "Completed", "Success"),
        ([1], "Completed", "Success"),
        ([3, 1], "Completed", "Failure"),
        ([5], "Completed", "Failure"),
        ([130, 3], "Cancelled", "Failure"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_is_a_scan_that_succeeded_where_all_was_looked_at(
    version: str, conditions: list[int], activity: str, status: str
) -> None:
    record = RECORD | {"exit_conditions": conditions, "exit_code": conditions[0]}
    event = _say(version)(json.loads(run_event(record).body))
    validate(event)
    assert (event["activity_name"], event["status"], event["status_code"]) == (
        activity,
        status,
        str(conditions[0]),
    )
    assert (event["num_detections"], event["num_resolutions"], event["total"]) == (3, 1, 40)
    assert event["duration"] == 300_000
    assert event["unmapped"]["run"]["scope"] == RECORD["scope"]


def test_a_run_of_a_subset_says_so() -> None:
    record = RECORD | {"scope": {"kind": "subset", "filters": {"accounts": ["111122223333"]}}}
    event = _say("1.8.0")(json.loads(run_event(record).body))
    assert "of a subset alone" in event["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_is_too_large_is_cut_by_the_rule_of_our_json_and_says_so(version: str) -> None:
    say = _say(version)
    evidence, message = found(1, evidence={"x": "y" * 90_000}), found(2, message="m" * 90_000)
    (gap, _) = _gaps(_ledger("e" * 90_000))
    lists = {"kind": "full", "accounts_not_planned": ["1"] * 9_000}
    run = run_event(RECORD | {"scope": lists, "waivers": {}, "accepted_gaps": {}})
    cut = []
    for body in (document(evidence), document(message), gap.body, run.body):
        line = fitted(body, 6_000, say)
        assert line is not None
        assert len(line) <= 6_000
        cut.append(json.loads(line))
        validate(cut[-1])
        assert cut[-1]["unmapped"]["truncated"] is True

    assert cut[0]["unmapped"]["evidence"] == {}
    assert cut[0]["message"] == evidence.message
    assert cut[1]["message"].startswith("mmm")
    assert cut[1]["message"].endswith("…")
    assert cut[2]["unmapped"]["gap"]["error_message"].endswith("…")
    assert cut[3]["unmapped"]["run"]["scope"] == {"kind": "full", "accounts_not_planned": []}


def test_a_gap_of_very_many_accounts_can_be_told_in_ocsf_too() -> None:
    (gap, _) = _gaps(_ledger())
    shared = {"account_id": None, "account_name": None, "source": None, "targets": 40_000}
    told = json.loads(gap.body) | shared | {"accounts": [f"{number:012}" for number in range(20_000)]}
    line = fitted(json.dumps(told).encode(), 6_000, _say("1.8.0"))
    assert line is not None
    event = json.loads(line)
    validate(event)
    assert event["message"].startswith(
        "40000 targets could not be read to the end in many accounts: access-den"
    )
    assert event["unmapped"]["truncated"] is True


def test_what_fits_is_not_cut() -> None:
    line = fitted(document(found(1)), 100_000, _say("1.8.0"))
    assert line is not None
    assert "truncated" not in json.loads(line)["unmapped"]


async def test_what_can_not_be_told_in_a_form_is_a_dead_letter_and_holds_up_nothing(post: Post) -> None:
    post.fill([found(1), found(2, observed_at="never"), found(3)])
    async with receiving(lambda _asked: http(200)) as receiver:
        report = await post.send(made("webhook", {"secret": KEY}, url=receiver.url, format="ocsf"))
    (letter,) = post.dead_letters()
    assert (report.taken, report.refused, report.left) == (2, 1, 0)
    assert letter["event"]["resource_name"] == "export-2"
    assert letter["reason"] == "it can't be told in OCSF 1.8.0: ValueError: Invalid isoformat string: 'never'"


async def test_a_dead_letter_keeps_the_event_as_the_outbox_had_it(post: Post) -> None:
    post.fill([found(1)])
    async with receiving(lambda _asked: http(422)) as receiver:
        await post.send(made("webhook", {"secret": KEY}, url=receiver.url, format="ocsf"))
    (letter,) = post.dead_letters()
    assert letter["event"]["schema"] == "auditor.finding/1"


def test_what_is_hostile_is_escaped_in_this_form_too() -> None:
    line = fitted(document(HOSTILE_FINDING), 100_000, _say("1.8.0"))
    assert line is not None
    assert line.isascii()
    assert b"\x7f" not in line
    told = json.loads(line)["message"]
    assert told.replace(r"\u0000", "\0").replace(r"\ud800", "\ud800") == HOSTILE


def test_an_event_without_a_policy_that_is_known_is_told_by_its_id() -> None:
    settings = FreeForm.model_validate({"type": "webhook", "format": "ocsf"})
    say = say_of(Receiver("siem", settings), {})
    assert say is not None
    event = say(json.loads(document(found(1))), said_at=None)
    assert event["finding_info"]["title"] == found(1).policy


def test_the_documentation_names_every_kind_that_takes_either_form() -> None:
    text = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text("utf-8")
    (said,) = re.findall(r"## JSON or OCSF\n\n(.*?) take `format: ocsf`", text, re.DOTALL)
    free = {name for name, settings in destination_settings().items() if issubclass(settings, FreeForm)}
    assert set(re.findall("`([a-z0-9-]+)`", said)) == free


def test_a_version_without_the_form_is_refused() -> None:
    with pytest.raises(UsageError, match="destination siem: ocsf_version stands without format: ocsf"):
        made("webhook", {"secret": KEY}, url="https://siem.example.com/in", ocsf_version="1.6.0")
