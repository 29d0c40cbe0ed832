"""A webhook over real sockets: what it posts, and what it makes of every kind of answer."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.delivery import Later, Refused, Taken
from auditor.errors import UsageError
from auditor.history import Due, Event
from auditor.model import is_plain
from tests.delivery.certificates import certificate_in, server_tls
from tests.delivery.conftest import Post, findings, made
from tests.delivery.receiver import Asked, Silence, http, receiving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditor.delivery import Receipt

KEY = "a-key-that-both-have"
EVENT = Event("e1", "gap", b'{"schema":"auditor.gap/1"}')


def _webhook(url: str, **settings: Any) -> Any:
    return made("webhook", {"secret": KEY}, url=url, **settings)


async def _answered(said: bytes | Silence, **settings: Any) -> Receipt:
    """Return what the webhook makes of an answer."""
    async with receiving(lambda _asked: said) as receiver, _webhook(receiver.url, **settings) as webhook:
        (receipt,) = await webhook.send([Due(1, EVENT, "run-1", 0, None)])
    assert isinstance(receipt, (Taken, Refused, Later))
    return receipt


def _events(asked: Sequence[Asked]) -> list[list[dict[str, Any]]]:
    return [[json.loads(line) for line in each.body.splitlines()] for each in asked]


async def test_events_are_posted_a_line_each_and_signed(post: Post) -> None:
    post.fill(findings(3))
    async with receiving(lambda _asked: http(204)) as receiver:
        report = await post.send(_webhook(receiver.url, batch=2))

    assert (report.taken, report.fault) == (3, None)
    assert [[each["resource_name"] for each in batch] for batch in _events(receiver.asked)] == [
        ["export-1", "export-2"],
        ["export-3"],
    ]
    for asked in receiver.asked:
        assert (asked.method, asked.path) == ("POST", "/in")
        assert asked.headers["content-type"] == "application/x-ndjson"
        timestamp = asked.headers["x-auditor-timestamp"]
        assert abs(int(timestamp) - time.time()) < 60
        expected = hmac.new(KEY.encode(), f"{timestamp}.".encode() + asked.body, hashlib.sha256).hexdigest()
        assert asked.headers["x-auditor-signature"] == f"v1={expected}"


async def test_an_event_that_came_twice_has_the_same_id(post: Post) -> None:
    post.fill(findings(1))
    answers = [http(500), http(200)]
    async with receiving(lambda _asked: answers.pop(0)) as receiver:
        report = await post.send(_webhook(receiver.url))

    (first,), (second,) = _events(receiver.asked)
    assert first == second
    assert report.taken == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_what_is_answered_with_success_is_taken(status: int) -> None:
    assert await _answered(http(status)) == Taken()


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_is_wrong_with_the_body_is_refused_for_good(status: int) -> None:
    receipt = await _answered(http(status, b"no field called\nevidence"))
    assert isinstance(receipt, Refused)
    assert receipt.why.startswith(f"HTTP {status} ")
    assert receipt.why.endswith(": no field called evidence")


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 409, 418, 500, 502, 503, 504, 599, 700])
async def test_what_may_be_mended_elsewhere_is_tried_again(status: int) -> None:
    receipt = await _answered(http(status))
    assert isinstance(receipt, Later)
    assert receipt.why.startswith(f"HTTP {status}")


async def test_a_redirect_is_not_followed() -> None:
    async with receiving(lambda _asked: http(200)) as elsewhere:
        receipt = await _answered(http(307, b"", f"Location: {elsewhere.url}"))

    assert isinstance(receipt, Later)
    assert receipt.why == "HTTP 307 Temporary Redirect: redirects are not followed; correct the url"
    assert elsewhere.asked == []


async def test_an_answer_without_end_is_read_no_further_than_it_is_looked_at() -> None:
    endless = (
        b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    )
    with anyio.fail_after(5):
        receipt = await _answered(endless)
    assert isinstance(receipt, Later)
    assert len(receipt.why) <= 200


async def test_an_answer_that_would_swell_up_is_not_unpacked() -> None:
    packed = gzip.compress(b"x" * 1_000_000)
    said = http(500, packed, "Content-Encoding: gzip")
    async with receiving(lambda _asked: said) as receiver, _webhook(receiver.url) as webhook:
        (receipt,) = await webhook.send([Due(1, EVENT, "run-1", 0, None)])
    assert receiver.asked[0].headers["accept-encoding"] == "identity"
    assert isinstance(receipt, Later)
    assert "xxx" not in receipt.why


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("soon", None),
        ("-3", None),
        ("Tue, 01 Nov 1994 08:00:00 GMT", 0.0),
        ("9" * 400, math.inf),
        ("Tue, 01 Nov 99999 08:00:00 GMT", None),
        ("Tue, 01 Nov 1994 08:00:00 +99999999", None),
        ("\u0663", None),
    ],
)
async def test_a_pause_that_is_asked_for_is_read(said: str, seconds: float | None) -> None:
    receipt = await _answered(http(429, b"", f"Retry-After: {said}"))
    assert isinstance(receipt, Later)
    assert receipt.after == seconds


async def test_a_pause_that_is_asked_for_by_its_end_is_read() -> None:
    end = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    receipt = await _answered(http(503, b"", f"Retry-After: {end}"))
    assert isinstance(receipt, Later)
    assert receipt.after == pytest.approx(90, abs=5)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"\xff\xfe\0\0\r\n\r\n", Silence.CLOSE])
async def test_what_is_no_answer_is_tried_again(said: bytes | Silence) -> None:
    assert isinstance(await _answered(said), Later)


@pytest.mark.parametrize(("status", "kind"), [(200, Taken), (500, Later)])
async def test_no_more_is_read_of_an_answer_than_is_looked_at(status: int, kind: type[Receipt]) -> None:
    # It never ends: the connection stays open, and the last chunk does not come.
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    said = b"HTTP/1.1 %d Said\r\nTransfer-Encoding: chunked\r\n\r\n" % status + chunk * 5
    with anyio.fail_after(10):
        assert isinstance(await _answered(said), kind)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nxxxxxxx",
        b"HTTP/1.1 9999 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000,
        b"HTTP/1.1 200 OK\r\nX: \0\x1b[2J\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["chunks", "lengths", "status", "headers", "hostile"],
)
async def test_what_breaks_the_protocol_is_tried_again_and_shown_in_one_plain_line(said: bytes) -> None:
    receipt = await _answered(said)
    assert isinstance(receipt, Later)
    assert is_plain(receipt.why)


async def test_an_answer_that_is_cut_short_is_none() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\ncut"
    assert isinstance(await _answered(said), Later)


async def test_a_receiver_that_hangs_is_given_up_and_its_events_stay(post: Post) -> None:
    post.fill(findings(1))
    async with receiving(lambda _asked: Silence.HANG) as receiver:
        report = await post.send(_webhook(receiver.url, timeout="1s"), seconds=1.5)

    assert (report.taken, report.left) == (0, 1)
    assert report.fault == "siem: 1 event(s) left: no answer within 1 s"
    assert len(receiver.asked) >= 1


async def test_a_receiver_that_is_not_there_is_told_of(post: Post) -> None:
    post.fill(findings(1))
    async with receiving(lambda _asked: http(200)) as gone:
        pass

    report = await post.send(_webhook(gone.url), seconds=2)

    assert report.left == 1
    assert report.fault is not None
    assert "ClientConnectorError" in report.fault


async def test_a_body_that_is_too_large_for_it_is_sent_in_halves(post: Post) -> None:
    post.fill(findings(7))

    def answer(asked: Asked) -> bytes:
        return http(413 if asked.body.count(b"\n") > 2 else 200)

    async with receiving(answer) as receiver:
        report = await post.send(_webhook(receiver.url))

    assert (report.taken, report.refused, report.left) == (7, 0, 0)


async def test_no_reason_shows_the_key_or_the_path_that_lets_one_in() -> None:
    said = http(403, f"bad key {KEY} for /services/T0KEN/B0T".encode())
    async with receiving(lambda _asked: said) as receiver:
        url = receiver.url.removesuffix("/in") + "/services/T0KEN/B0T"
        async with _webhook(url) as webhook:
            (receipt,) = await webhook.send([Due(1, EVENT, "run-1", 0, None)])
    assert receipt.why == "HTTP 403 Forbidden: bad key *** for /***"


def test_plain_http_to_elsewhere_is_refused_unless_it_is_asked_for() -> None:
    with pytest.raises(
        UsageError, match=r"siem would be sent to over plain http to siem.example.com: use https"
    ):
        _webhook("http://siem.example.com/in")
    made("webhook", {"secret": KEY}, url="http://siem.example.com/in", allow_http=True)


def test_a_ca_file_that_can_not_be_used_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    with pytest.raises(UsageError, match=r"ca_file .*ca.pem: holds no certificate in PEM"):
        _webhook("https://siem.example.com/in", ca_file=str(empty))
    with pytest.raises(UsageError, match=r"ca_file nowhere.pem: No such file"):
        _webhook("https://siem.example.com/in", ca_file="nowhere.pem")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_in(tmp_path_factory.mktemp("tls"))


async def test_a_server_of_a_certificate_authority_of_ones_own_is_verified(certificate: Path) -> None:
    async with receiving(lambda _asked: http(200), server_tls(certificate)) as receiver:
        async with _webhook(receiver.url, ca_file=str(certificate / "cert.pem")) as webhook:
            (trusted,) = await webhook.send([Due(1, EVENT, "run-1", 0, None)])
        async with _webhook(receiver.url) as webhook:
            (unknown,) = await webhook.send([Due(1, EVENT, "run-1", 0, None)])

    assert trusted == Taken()
    assert isinstance(unknown, Later)
    assert "certificate verify failed" in unknown.why
    assert len(receiver.asked) == 1
