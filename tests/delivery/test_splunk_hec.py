"""Splunk's collector, as a receiver written to Splunk's documentation plays it: no Splunk was at hand."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from auditor.delivery import Later, Refused, Taken, run_event
from auditor.errors import UsageError
from auditor.history import Due, Event
from tests.delivery.conftest import Post, made
from tests.delivery.receiver import Asked, http, receiving
from tests.history.conftest import finding

if TYPE_CHECKING:
    from auditor.delivery import Receipt

TOKEN = "0f3a-canary-token"


def _splunk(url: str, **settings: Any) -> Any:
    return made("splunk-hec", {"token": TOKEN}, url=url.removesuffix("/in"), **settings)


def _collector(asked: Asked) -> bytes:
    """Answer as the collector does to a token of one index."""
    if asked.path != "/services/collector/event":
        return http(404, b'{"text":"The requested URL was not found on this server.","code":404}')
    if asked.headers.get("authorization") != f"Splunk {TOKEN}":
        return http(403, b'{"text":"Invalid token","code":4}')
    for number, line in enumerate(asked.body.splitlines()):
        told = json.loads(line)
        if "event" not in told:
            return http(
                400, b'{"text":"Event field is required","code":12,"invalid-event-number":%d}' % number
            )
        if told.get("index", "audit") != "audit":
            return http(400, b'{"text":"Incorrect index","code":7,"invalid-event-number":%d}' % number)
    return http(200, b'{"text":"Success","code":0}')


async def _answered(said: bytes) -> Receipt:
    due = Due(1, Event("e1", "gap", b'{"schema":"auditor.gap/1"}'), "run-1", 0, None)
    async with receiving(lambda _asked: said) as receiver, _splunk(receiver.url) as splunk:
        (receipt,) = await splunk.send([due])
    assert isinstance(receipt, (Taken, Refused, Later))
    return receipt


async def test_events_are_wrapped_as_the_collector_asks(post: Post) -> None:
    found = finding(1, observed_at="2026-11-25T01:00:00Z")
    run = run_event({"schema": "auditor.run/1", "run_id": "run-1", "finished_at": "2026-11-25T01:05:00Z"})
    post.fill([found], [run])
    async with receiving(_collector) as receiver:
        report = await post.send(_splunk(receiver.url, index="audit"))

    told = [json.loads(line) for asked in receiver.asked for line in asked.body.splitlines()]
    assert (report.taken, report.fault) == (2, None)
    assert [(each["time"], each["fields"]["kind"]) for each in told] == [
        (1795568400.0, "finding"),
        (1795568700.0, "run"),
    ]
    assert told[0]["event"]["finding_id"] == found.finding_id
    assert told[0]["fields"]["event_id"] == told[0]["event"]["event_id"]
    assert {(each["index"], each["source"], each["sourcetype"]) for each in told} == {
        ("audit", "auditor", "_json")
    }


@pytest.mark.parametrize("token", ["one\ntwo", "t\0ken", "tok\u20acn"])
def test_a_token_that_no_header_may_hold_is_told_before_anything_is_sent(token: str) -> None:
    with pytest.raises(UsageError, match="siem: the token is no text of one line in ASCII") as caught:
        made("splunk-hec", {"token": token}, url="https://splunk.example.com")
    assert token not in str(caught.value)


async def test_an_event_in_ocsf_has_its_own_time(post: Post) -> None:
    post.fill([finding(1, observed_at="2026-11-25T01:00:00Z")])
    async with receiving(_collector) as receiver:
        await post.send(_splunk(receiver.url, format="ocsf"))

    (told,) = (json.loads(line) for asked in receiver.asked for line in asked.body.splitlines())
    assert told["time"] == datetime.fromisoformat(post.nights.started(1)).timestamp()
    assert told["time"] * 1_000 == told["event"]["time"]
    assert told["event"]["class_uid"] == 2003
    assert told["fields"]["event_id"] == told["event"]["metadata"]["uid"]


async def test_an_index_that_is_not_allowed_loses_nothing(post: Post) -> None:
    post.fill([finding(1)])
    async with receiving(_collector) as receiver:
        report = await post.send(_splunk(receiver.url, index="other"), seconds=2)

    assert (report.taken, report.refused, report.left) == (0, 0, 1)
    assert report.fault is not None
    assert "Incorrect index" in report.fault


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, 0, Taken),
        (200, 9, Later),
        (401, 2, Later),
        (403, 1, Later),
        (403, 4, Later),
        (400, 6, Refused),
        (400, 7, Later),
        (400, 10, Later),
        (400, 12, Refused),
        (400, 13, Refused),
        (413, 27, Refused),
        (500, 8, Later),
        (503, 9, Later),
    ],
)
async def test_what_the_collector_says_is_what_becomes_of_the_events(
    status: int, code: int, kind: type[Receipt]
) -> None:
    receipt = await _answered(http(status, json.dumps({"text": f"about {TOKEN}", "code": code}).encode()))
    assert isinstance(receipt, kind)
    assert TOKEN not in repr(receipt)


@pytest.mark.parametrize("body", [b"", b"<html>welcome</html>", b"[]", b'{"code":"0"}', b'{"code":false}'])
async def test_a_success_that_is_not_splunks_is_none(body: bytes) -> None:
    assert isinstance(await _answered(http(200, body)), Later)
