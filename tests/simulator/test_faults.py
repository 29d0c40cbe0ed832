"""Each kind of fault, as a client sees it that believes nothing: http.client, and botocore's SigV4."""

from __future__ import annotations

import http.client
import json
import re
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from auditor.simulator.estate import generate
from auditor.simulator.faults import GET_RECORDS, RECORDS_ONLY, Fault, FaultKind, Faults, Place
from auditor.simulator.server import Running, serve_in_thread

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ESTATE = generate(
    13, accounts=2, regions=["us-east-1", "eu-west-1"], now=NOW, records_per_target=12, page_size=5
)
FIRST, SECOND = (account.id for account in ESTATE.accounts)


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """AWS's code, or nothing."""
        found = re.search(rb'"__type":"(\w+)"|<Code>(\w+)</Code>', self.body)
        return "" if found is None else (found[1] or found[2]).decode()


class Wire:
    """A bare client of one server."""

    def __init__(self, running: Running, seconds: float = 10.0) -> None:
        base = running.estate.base
        self.running = running
        self.base = Credentials(base.access_key, base.secret_key, base.session_token)
        self.sessions: dict[str, Credentials] = {}
        self.signs_for = running.url
        self._seconds = seconds

    def post(self, who: Credentials, region: str, body: bytes, target: str | None) -> Reply:
        kind = "application/x-amz-json-1.1" if target else "application/x-www-form-urlencoded"
        headers = {
            "Content-Type": kind,
            **({"X-Amz-Target": f"Lightsail_20161128.{target}"} if target else {}),
        }
        request = AWSRequest("POST", f"{self.signs_for}/", headers=headers, data=body)
        SigV4Auth(who, "lightsail" if target else "sts", region).add_auth(request)
        host = urlsplit(self.running.url).netloc
        connection = http.client.HTTPConnection(host, timeout=self._seconds)
        try:
            connection.request("POST", "/", body, dict(request.headers.items()))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def assume(self, account_id: str) -> Reply:
        account = next(account for account in ESTATE.accounts if account.id == account_id)
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": account.role_arn,
            "RoleSessionName": "wire",
            "ExternalId": account.external_id,
        }
        return self.post(self.base, "us-east-1", urlencode(form).encode(), None)

    def read(self, token: str | None = None, account_id: str = FIRST, region: str = "us-east-1") -> Reply:
        if account_id not in self.sessions:
            text = self.assume(account_id).body.decode()
            found = [
                re.findall(f"<{n}>(.*)</{n}>", text)
                for n in ("AccessKeyId", "SecretAccessKey", "SessionToken")
            ]
            self.sessions[account_id] = Credentials(*(one[0] for one in found))
        body = b"{}" if token is None else json.dumps({"pageToken": token}).encode()
        return self.post(self.sessions[account_id], region, body, "GetExportSnapshotRecords")

    def pages(self) -> list[Any]:
        """The pages of a target, as far as their tokens lead and no further than ten."""
        pages = [self.read().content]
        while "nextPageToken" in pages[-1] and len(pages) < 10:
            pages.append(self.read(pages[-1]["nextPageToken"]).content)
        return pages


def sizes(pages: list[Any]) -> list[int]:
    return [len(page["exportSnapshotRecords"]) for page in pages]


def test_a_fault_strikes_where_it_is_aimed_and_nowhere_else() -> None:
    faults = [Fault(FaultKind.THROTTLE, FIRST, "eu-west-1", page=2)]
    with serve_in_thread(ESTATE, faults=faults) as running:
        wire = Wire(running)
        token = wire.read(region="eu-west-1").content["nextPageToken"]
        assert [wire.read(token, region="eu-west-1").error for _ in range(3)] == ["ThrottlingException"] * 3
        assert sizes(wire.pages()) == [5, 5, 2]
        assert wire.read(account_id=SECOND, region="eu-west-1").status == 200


def test_times_are_counted_for_each_account_and_region() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.THROTTLE, times=2)]) as running:
        wire = Wire(running)
        places = [(FIRST, "us-east-1"), (FIRST, "eu-west-1"), (SECOND, "us-east-1")]
        for account_id, region in places:
            replies = [wire.read(account_id=account_id, region=region).status for _ in range(3)]
            assert replies == [400, 400, 200]


def test_latency_delays_an_answer_and_lets_other_faults_strike_too() -> None:
    faults = [Fault(FaultKind.LATENCY, seconds=0.2), Fault(FaultKind.THROTTLE)]
    with serve_in_thread(ESTATE, faults=faults) as running:
        wire = Wire(running)
        wire.assume(FIRST)
        began = time.monotonic()
        assert wire.read().error == "ThrottlingException"
        assert time.monotonic() - began >= 0.2


def test_a_hang_answers_nothing_and_ends_with_the_server() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.HANG)]) as running:
        wire = Wire(running, seconds=0.3)
        with pytest.raises(TimeoutError):
            wire.read()
        assert running.calls[-1].status is None
        began = time.monotonic()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("operation", ["GetExportSnapshotRecords", "AssumeRole"])
def test_a_reset_ends_the_connection_without_an_answer(operation: str) -> None:
    faults = [Fault(FaultKind.RESET, operation=operation, times=1)]
    with serve_in_thread(ESTATE, faults=faults) as running:
        wire = Wire(running)
        with pytest.raises(ConnectionResetError):
            wire.read()
        assert wire.read().status == 200


def test_a_cut_body_is_shorter_than_its_length() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.CUT_BODY, times=1)]) as running:
        wire = Wire(running)
        with pytest.raises(http.client.IncompleteRead) as caught:
            wire.read()
        assert caught.value.partial.startswith(b'{"exportSnapshotRecords":[{')
        assert abs(len(caught.value.partial) - (caught.value.expected or 0)) <= 1
        assert len(wire.read().content["exportSnapshotRecords"]) == 5


def test_a_slow_body_is_whole_in_the_end() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.SLOW_BODY, seconds=0.3, times=1)]) as running:
        wire = Wire(running)
        wire.assume(FIRST)
        began = time.monotonic()
        slow = wire.read()
        assert time.monotonic() - began >= 0.28
        assert slow.body == wire.read().body


def test_a_stalled_body_stops_in_the_middle_and_ends_with_the_server() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.STALLED_BODY)]) as running:
        wire = Wire(running, seconds=0.3)
        with pytest.raises(TimeoutError):
            wire.read()
        assert running.calls[-1].status == 200
        began = time.monotonic()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("operation", ["GetExportSnapshotRecords", "AssumeRole"])
def test_a_spoiled_byte_is_one_that_no_text_of_aws_may_hold(operation: str) -> None:
    fault = Fault(FaultKind.SPOILED_BYTE, operation=operation, times=1)
    with serve_in_thread(ESTATE, faults=[fault]) as running:
        wire = Wire(running)
        spoiled = wire.assume(FIRST) if operation == "AssumeRole" else wire.read()
        assert (spoiled.status, spoiled.body.count(b"\0")) == (200, 1)


def test_a_fault_strikes_from_one_moment_to_another() -> None:
    now = 100.0
    faults = Faults([Fault(FaultKind.RESET, begins=2.0, ends=5.0)], clock=lambda: now)
    place = Place(FIRST, "us-east-1", "GetExportSnapshotRecords")
    struck = []
    for moment in (100.0, 101.9, 102.0, 104.9, 105.0, 200.0):
        now = moment
        struck.append(faults.strike(place)[1] is not None)
    assert struck == [False, False, True, True, False, False]


def test_a_proxy_may_stand_before_it_that_puts_its_own_host_in() -> None:
    with serve_in_thread(ESTATE, called_as="proxy.example:9999") as running:
        wire = Wire(running)
        assert wire.assume(FIRST).error == "SignatureDoesNotMatch"
        wire.signs_for = "http://proxy.example:9999"
        assert wire.assume(FIRST).status == 200


def test_a_cut_json_is_valid_http_and_half_a_text() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.CUT_JSON, times=1)]) as running:
        wire = Wire(running)
        reply, whole = wire.read(), wire.read()
        assert (reply.status, reply.headers["content-length"]) == (200, str(len(reply.body)))
        assert whole.body.startswith(reply.body)
        assert len(reply.body) == len(whole.body) // 2


def test_a_proxys_page_is_html_with_a_200() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.NOT_JSON)]) as running:
        reply = Wire(running).read()
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html")
        assert reply.body.startswith(b"<!DOCTYPE html>")


def test_bytes_that_are_no_utf8_come_with_a_200() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.NOT_UTF8)]) as running:
        reply = Wire(running).read()
        assert reply.status == 200
        with pytest.raises(UnicodeDecodeError):
            reply.body.decode()


def test_an_object_without_the_key_comes_with_a_200() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.MISSING_KEY)]) as running:
        reply = Wire(running).read()
        assert (reply.status, reply.body) == (200, b"{}")


def test_an_empty_page_leads_on_to_the_page_that_it_stands_before() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.EMPTY_PAGE, page=2)]) as running:
        assert sizes(Wire(running).pages()) == [5, 0, 5, 2]
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.EMPTY_PAGE)]) as running:
        assert sizes(Wire(running).pages()) == [0, 5, 0, 5, 0, 2]


@pytest.mark.parametrize(("page", "before"), [(None, 1), (3, 3)])
def test_a_token_loop_goes_from_a_to_b_to_a(page: int | None, before: int) -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.TOKEN_LOOP, page=page)]) as running:
        tokens = [page["nextPageToken"] for page in Wire(running).pages()][before - 1 :]
        a, b = tokens[:2]
        assert a != b
        assert tokens == ([a, b] * 5)[: len(tokens)]


def test_a_token_is_rejected_only_where_one_was_sent() -> None:
    with serve_in_thread(ESTATE, faults=[Fault(FaultKind.TOKEN_REJECTED, times=1)]) as running:
        wire = Wire(running)
        token = wire.read().content["nextPageToken"]
        reply = wire.read(token)
        assert (reply.error, reply.status) == ("InvalidInputException", 400)
        assert sizes(wire.pages()) == [5, 5, 2]


@pytest.mark.parametrize("token", ["", "p.2", "p.2-0", "p.99999999999999999999-0", "e.1-\u00e9"])
def test_a_token_that_the_server_never_gave_is_invalid_input(token: str) -> None:
    with serve_in_thread(ESTATE) as running:
        assert Wire(running).read(token).error == "InvalidInputException"


def test_a_token_of_another_region_or_account_is_invalid_input() -> None:
    with serve_in_thread(ESTATE) as running:
        wire = Wire(running)
        token = wire.read().content["nextPageToken"]
        assert wire.read(token, region="eu-west-1").error == "InvalidInputException"
        assert wire.read(token, account_id=SECOND).error == "InvalidInputException"


@pytest.mark.parametrize("to_account", [SECOND, None])
def test_a_wrong_account_gives_the_credentials_of_another_and_names_it(to_account: str | None) -> None:
    fault = Fault(FaultKind.WRONG_ACCOUNT, FIRST, operation="AssumeRole", to_account=to_account)
    with serve_in_thread(ESTATE, faults=[fault]) as running:
        wire = Wire(running)
        assert f"<Arn>arn:aws:sts::{SECOND}:assumed-role/" in wire.assume(FIRST).body.decode()
        wire.read()
        assert running.calls[-1].account_id == SECOND


def test_a_fault_that_no_service_could_have_is_refused() -> None:
    for kind in RECORDS_ONLY:
        with pytest.raises(
            ValueError, match=r"strikes .*GetExportSnapshotRecords.* only, and not AssumeRole"
        ):
            Fault(kind, operation="AssumeRole")
    with pytest.raises(ValueError, match="wrong-account strikes AssumeRole"):
        Fault(FaultKind.WRONG_ACCOUNT)


def test_only_what_comes_too_fast_is_throttled_each_region_for_itself() -> None:
    now = [100.0]
    faults = Faults([Fault(FaultKind.THROTTLE, above=2)], clock=lambda: now[0])

    def throttled(region: str = "us-east-1") -> bool:
        return faults.strike(Place(FIRST, region, GET_RECORDS))[1] is not None

    assert [throttled() for _ in range(4)] == [False, False, True, True]
    assert not throttled("eu-west-1")
    now[0] += 0.5
    assert [throttled() for _ in range(2)] == [False, True]
    now[0] += 60
    assert [throttled() for _ in range(3)] == [False, False, True]


def test_above_is_said_of_throttling_alone() -> None:
    with pytest.raises(ValueError, match="above is said of throttle, and not of reset"):
        Fault(FaultKind.RESET, above=2)
