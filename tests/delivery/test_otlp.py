"""OTLP to a receiver over HTTP that reads it by OpenTelemetry's own messages."""

from __future__ import annotations

import gzip
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # has no types
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from structlog.testing import capture_logs

from auditor import __version__
from auditor.delivery import Later, Refused, Taken, run_event
from auditor.errors import UsageError
from auditor.history import Due, Event
from tests.delivery.conftest import Post, findings, made
from tests.delivery.receiver import Asked, Silence, http, receiving
from tests.formats.ocsf_schemas import validate
from tests.history.conftest import finding, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.delivery import Receipt
    from auditor.delivery.contract import AnyDestination

TOKEN = "canary-of-otlp"
HOSTILE = 'a"b\\c\n\r\x1b[31m\x00\u202eé\U0001f600'
DONE = http(200, ExportLogsServiceResponse().SerializeToString())


def _otlp(url: str, *, token: str | None = None, **settings: Any) -> AnyDestination:
    return made("otlp", {"token": token} if token else {}, url=url, **settings)


def _read(asked: Asked) -> ExportLogsServiceRequest:
    zipped = asked.headers.get("content-encoding") == "gzip"
    request = ExportLogsServiceRequest()
    request.ParseFromString(gzip.decompress(asked.body) if zipped else asked.body)
    return request


def _records(asked: Asked) -> list[Any]:
    ((scope,),) = (each.scope_logs for each in _read(asked).resource_logs)
    return list(scope.log_records)


def _plain(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}


def _partial(rejected: int, why: str = "") -> bytes:
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=why)
    return http(200, ExportLogsServiceResponse(partial_success=partial).SerializeToString())


async def _answered(said: bytes | Silence, **settings: Any) -> Receipt:
    due = Due(1, Event("e1", "gap", b'{"schema":"auditor.gap/1"}'), "run-1", 0, None)
    async with receiving(lambda _asked: said) as receiver, _otlp(receiver.url, **settings) as otlp:
        (receipt,) = await otlp.send([due])
    assert isinstance(receipt, (Taken, Refused, Later))
    return receipt


async def test_the_body_is_in_ocsf_where_it_is_asked_for(post: Post) -> None:
    post.fill([finding(1, observed_at="2026-11-25T01:00:00Z")])
    async with receiving(lambda _asked: DONE) as receiver:
        report = await post.send(_otlp(receiver.url, format="ocsf"))

    (record,) = (each for asked in receiver.asked for each in _records(asked))
    event = json.loads(record.body.string_value)
    validate(event)
    assert (report.taken, report.fault) == (1, None)
    assert record.time_unix_nano == event["time"] * 1_000_000
    assert _plain(record.attributes)["auditor.schema"] == "ocsf/1.8.0"


@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_each_event_is_a_log_record(post: Post, compression: str) -> None:
    found = finding(1, observed_at="2026-11-25T01:00:00.25Z", resource_name=HOSTILE)
    gap = Event(
        "g", "gap", json.dumps({"schema": "auditor.gap/1", "gap_id": "g1", "accepted": None}).encode()
    )
    run = run_event({"schema": "auditor.run/1", "run_id": "run-1", **record(1)})
    post.fill([found], [gap, run])
    before = time.time_ns()

    async with receiving(lambda _asked: DONE) as receiver:
        base = receiver.url.removesuffix("/in")
        report = await post.send(_otlp(base, compression=compression))

    assert (report.taken, report.fault) == (3, None)
    assert {(each.path, each.headers["content-type"]) for each in receiver.asked} == {
        ("/v1/logs", "application/x-protobuf")
    }
    (logs,) = _read(receiver.asked[0]).resource_logs
    assert _plain(logs.resource.attributes) == {"service.name": "auditor", "service.version": __version__}
    assert (logs.scope_logs[0].scope.name, logs.scope_logs[0].scope.version) == ("auditor", __version__)

    of_finding, of_gap, of_run = (each for asked in receiver.asked for each in _records(asked))
    body = json.loads(of_finding.body.string_value)
    assert (body["schema"], body["resource_name"]) == ("auditor.finding/1", HOSTILE)
    assert of_finding.time_unix_nano == 1_795_568_400_250_000_000
    assert before <= of_finding.observed_time_unix_nano <= time.time_ns()
    assert _plain(of_finding.attributes) == {
        "auditor.event_id": body["event_id"],
        "auditor.kind": "finding",
        "auditor.schema": "auditor.finding/1",
        "auditor.run_id": "run-1",
        "auditor.finding_id": found.finding_id,
        "auditor.policy": found.policy,
        "auditor.status": "new",
        "cloud.provider": "aws",
        "cloud.account.id": found.account_id,
        "cloud.region": found.region,
    }
    assert [(each.event_name, each.severity_text) for each in (of_finding, of_gap, of_run)] == [
        ("auditor.finding", "high"),
        ("auditor.gap", "high"),
        ("auditor.run", "info"),
    ]
    assert [each.severity_number for each in (of_finding, of_run)] == [
        SeverityNumber.SEVERITY_NUMBER_ERROR,
        SeverityNumber.SEVERITY_NUMBER_INFO,
    ]
    assert _plain(of_gap.attributes)["auditor.gap_id"] == "g1"
    assert of_gap.time_unix_nano == 0


async def test_a_path_that_is_given_is_kept() -> None:
    due = Due(1, Event("e1", "gap", b"{}"), "run-1", 0, None)
    async with receiving(lambda _asked: DONE) as receiver, _otlp(receiver.url) as otlp:
        assert await otlp.send([due]) == [Taken()]
    assert [each.path for each in receiver.asked] == ["/in"]


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [({}, "authorization", f"Bearer {TOKEN}"), ({"header_name": "X-Team"}, "x-team", TOKEN)],
)
async def test_the_token_is_sent_and_shown_nowhere(settings: dict[str, str], header: str, value: str) -> None:
    said = http(401, Status(message=f"no such token: {TOKEN}").SerializeToString())
    due = Due(1, Event("e1", "gap", b"{}"), "run-1", 0, None)
    async with (
        receiving(lambda _asked: said) as receiver,
        _otlp(receiver.url, token=TOKEN, **settings) as otlp,
    ):
        (receipt,) = await otlp.send([due])
    assert receiver.asked[0].headers[header] == value
    assert isinstance(receipt, Later)
    assert receipt.why == "HTTP 401 Unauthorized: no such token: ***"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"partialSuccess":{}}', b"\x0a\x00"])
async def test_a_success_in_either_encoding_is_taken(body: bytes) -> None:
    assert await _answered(http(200, body)) == Taken()


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"OK", b'{"message":"hello"}', b"\xff\xfe", b"[]"])
async def test_a_success_that_is_not_otlps_is_none(body: bytes) -> None:
    assert isinstance(await _answered(http(200, body)), Later)


async def test_a_word_of_warning_is_logged_and_takes_nothing_back() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with capture_logs() as logs:
        assert await _answered(_partial(0, "use\x1b a newer path")) == Taken()
    assert [each["said"] for each in logs if each["event"] == "the receiver says"] == [
        "use\\x1b a newer path"
    ]


def _rejecting(names: set[str]) -> Callable[[Asked], bytes]:
    def answer(asked: Asked) -> bytes:
        bad = [
            each for each in _records(asked) if json.loads(each.body.string_value)["resource_name"] in names
        ]
        return _partial(len(bad), "too old") if bad else DONE

    return answer


async def test_records_that_are_rejected_are_found_out_and_no_other_is_lost(post: Post) -> None:
    post.fill(findings(20))
    async with receiving(_rejecting({"export-3", "export-17"})) as receiver:
        report = await post.send(_otlp(receiver.url))

    assert (report.taken, report.refused, report.left) == (18, 2, 0)
    assert {each["event"]["resource_name"]: each["reason"] for each in post.dead_letters()} == {
        "export-3": "1 log record(s) rejected: too old",
        "export-17": "1 log record(s) rejected: too old",
    }


@pytest.mark.parametrize("status", [400, 413])
async def test_bad_data_is_refused_for_good(status: int) -> None:
    receipt = await _answered(http(status, Status(message="no\nsuch field").SerializeToString()))
    assert isinstance(receipt, Refused)
    assert receipt.why.endswith(": no such field")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_be_tried_again_is_as_soon_as_it_is_asked_for(status: int) -> None:
    receipt = await _answered(http(status, b"", "Retry-After: 7"))
    assert isinstance(receipt, Later)
    assert receipt.after == 7.0


@pytest.mark.parametrize("status", [307, 401, 403, 404, 405, 408, 500, 501])
async def test_what_is_not_to_be_tried_again_is_left_to_the_next_run(status: int) -> None:
    receipt = await _answered(http(status, b"", "Retry-After: 7"))
    assert isinstance(receipt, Later)
    assert receipt.after == 300.0


async def test_a_receiver_that_hangs_up_is_tried_again() -> None:
    receipt = await _answered(Silence.CLOSE)
    assert isinstance(receipt, Later)
    assert receipt.after is None


@pytest.mark.parametrize("token", ["two\nlines", "naïve", "\x00", "a\r\nX: y"])
def test_a_token_that_no_header_can_have_is_told_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError, match="its token has something that no header can have") as caught:
        _otlp("https://otlp.example.com", token=token)
    assert token not in str(caught.value)


def test_a_header_without_a_token_is_told() -> None:
    with pytest.raises(UsageError, match="header_name stands without token_env or token_file"):
        _otlp("https://otlp.example.com", header_name="X-Team")


def test_without_its_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.logs.v1", None)
    with pytest.raises(
        UsageError, match=r"siem: the library for OTLP is not installed; install it: pip install "
    ):
        _otlp("https://otlp.example.com")
