"""Syslog to a real rsyslogd, whose own parser says what came."""

from __future__ import annotations

import json
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from auditor.coverage import Ledger
from auditor.delivery import Later, Taken, gap_events, run_event
from auditor.errors import UsageError
from auditor.history import Due, Event
from auditor.model import EXPORT_RECORDS, Failure, Outcome, Reason, Severity, Status, Target
from tests.delivery.certificates import certificate_in
from tests.delivery.conftest import Post, findings, made, names
from tests.delivery.rsyslog import Rsyslog, driver_of, rsyslogd
from tests.formats.ocsf_schemas import validate
from tests.history.conftest import REGION, account, finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditor.delivery import Receipt
    from auditor.delivery.contract import AnyDestination

HOSTILE = 'a"b\\c]d=e [f]\n<134>1 - - - - - -\r\x1b[31m\x00\u202eé\U0001f600'


def _daemon(folder: Path, driver: str = "ossl", **how: Any) -> Rsyslog:
    certificate_in(folder)
    return Rsyslog(rsyslogd(), folder, driver_of(driver), **how)


@pytest.fixture(scope="module")
def rsyslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    daemon = _daemon(tmp_path_factory.mktemp("rsyslog"))
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


@dataclass(frozen=True)
class Way:
    """A daemon, and how it is sent to."""

    name: str
    rsyslog: Rsyslog

    def siem(self, **settings: Any) -> AnyDestination:
        if self.name == "tcp":
            return _over_tcp(self.rsyslog.port, **settings)
        return _over_tls(self.rsyslog.tls_port, self.rsyslog.folder, **settings)


@pytest.fixture(scope="module", params=["tcp", "ossl", "gtls"])
def way(
    request: pytest.FixtureRequest, rsyslog: Rsyslog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Way]:
    if request.param != "gtls":
        yield Way(request.param, rsyslog)
        return
    daemon = _daemon(tmp_path_factory.mktemp("gtls"), driver="gtls")
    daemon.start()
    try:
        yield Way(request.param, daemon)
    finally:
        daemon.stop()


def _over_tcp(port: int, **settings: Any) -> AnyDestination:
    return made("syslog", host="127.0.0.1", port=port, tls=False, **settings)


def _over_tls(port: int, folder: Path, **settings: Any) -> AnyDestination:
    return made("syslog", host="127.0.0.1", port=port, ca_file=str(folder / "cert.pem"), **settings)


def _due(number: int = 1, finding_id: str | None = None, **body: Any) -> Due:
    told = {"schema": "auditor.gap/1"} | body
    event = Event(f"e{number}", "finding" if finding_id else "gap", json.dumps(told).encode(), finding_id)
    return Due(number, event, "run-1", 0, None)


# What rsyslog makes of it


async def test_every_field_comes_out_of_rsyslogs_parser_as_it_was_sent(post: Post, way: Way) -> None:
    way.rsyslog.clear()
    found = finding(1, observed_at="2026-11-25T01:00:00.25Z", severity=Severity.CRITICAL)
    failure = Failure(Reason.ACCESS_DENIED, error_message="no")
    unread = Target(EXPORT_RECORDS, account(), REGION)
    ledger = Ledger([unread])
    ledger.settle(unread, Outcome(), failure)
    gaps = gap_events("run-1", "2026-11-25T01:00:01Z", ledger.lines_of_gaps())
    run = run_event(
        {"schema": "auditor.run/1", "run_id": "run-1", "finished_at": "2026-11-25T01:05:00Z", "exit_code": 3}
    )
    post.fill([found], [*gaps, run])

    report = await post.send(way.siem(facility="audit"))

    assert (report.taken, report.fault) == (3, None)
    said = way.rsyslog.messages(3)
    bodies = [json.loads(each["text"]) for each in said]
    assert [(each["message_id"], each["severity"], each["time"], each["version"]) for each in said] == [
        ("finding", "crit", "2026-11-25T01:00:00.250000Z", "1"),
        ("gap", "err", "2026-11-25T01:00:01Z", "1"),
        ("run", "err", "2026-11-25T01:05:00Z", "1"),
    ]
    assert {(each["app_name"], each["process"], each["host"], each["facility"]) for each in said} == {
        ("auditor", "run-1", socket.gethostname(), "audit")
    }
    assert [json.loads(each["parsed"])["auditor@32473"] for each in said] == [
        {
            "event_id": bodies[0]["event_id"],
            "kind": "finding",
            "finding_id": found.finding_id,
            "severity": "critical",
            "account": found.account_id,
            "region": found.region,
            "policy": found.policy,
            "status": "new",
        },
        {
            "event_id": gaps[0].event_id,
            "kind": "gap",
            "gap_id": bodies[1]["gap_id"],
            "severity": "high",
            "account": found.account_id,
            "region": REGION,
        },
        {"event_id": run.event_id, "kind": "run", "severity": "high"},
    ]
    assert [each["schema"] for each in bodies] == ["auditor.finding/1", "auditor.gap/1", "auditor.run/1"]


async def test_hostile_text_breaks_no_message_and_comes_whole(post: Post, way: Way) -> None:
    way.rsyslog.clear()
    post.fill([finding(1, resource_name=HOSTILE, evidence={HOSTILE: HOSTILE}), finding(2)])

    report = await post.send(way.siem())

    assert (report.taken, report.fault) == (2, None)
    first, second = way.rsyslog.messages(2)
    body = json.loads(first["text"])
    assert (body["resource_name"], body["evidence"]) == (HOSTILE, {HOSTILE: HOSTILE})
    assert first["text"].isascii()
    assert json.loads(second["text"])["resource_name"] == "export-2"


async def test_hostile_text_stays_within_its_value_of_the_structured_data(rsyslog: Rsyslog) -> None:
    rsyslog.clear()
    async with _over_tcp(rsyslog.port) as siem:
        assert await siem.send([_due(policy=HOSTILE, region="é]")]) == [Taken()]

    (said,) = rsyslog.messages(1)
    shown = 'a"b\\c]d=e [f]\\n<134>1 - - - - - -\\r\\x1b[31m\\x00\\u202eé\U0001f600'
    assert json.loads(said["parsed"])["auditor@32473"] == {
        "event_id": "e1",
        "kind": "gap",
        "severity": "high",
        "region": "é]",
        "policy": shown[:64],
    }


async def test_order_is_kept_over_many_connections(post: Post, rsyslog: Rsyslog) -> None:
    rsyslog.clear()
    post.fill(findings(1_200))
    report = await post.send(_over_tls(rsyslog.tls_port, rsyslog.folder))

    assert (report.taken, report.fault) == (1_200, None)
    said = [json.loads(each["text"])["resource_name"] for each in rsyslog.messages(1_200)]
    assert said == names(1, 1_200)


async def test_what_is_larger_than_the_receiver_takes_is_cut_to_its_size(
    post: Post, rsyslog: Rsyslog
) -> None:
    rsyslog.clear()
    whole, cut = finding(1), finding(2, message="é" * 9_000, evidence={"disks": "x" * 5_000})
    # The last is small enough until it is written in ASCII.
    too_large = [finding(3, resource_name="n" * 9_000), finding(4, resource_name="é" * 1_000)]
    post.fill([whole, cut, *too_large])

    report = await post.send(_over_tcp(rsyslog.port, max_bytes=4_096))

    assert (report.taken, report.refused, report.left) == (2, 2, 0)
    texts = [json.loads(each["text"]) for each in rsyslog.messages(2)]
    assert [each.get("truncated", False) for each in texts] == [False, True]
    assert texts[1]["evidence"] == {}
    assert texts[1]["message"] == "é" * (len(texts[1]["message"]) - 1) + "…"
    assert max(len(each["raw"].encode()) for each in rsyslog.messages(2)) <= 4_096
    letters = {each["event"]["resource_name"]: each["reason"] for each in post.dead_letters()}
    assert set(letters) == {each.resource_name for each in too_large}
    assert letters["é" * 1_000] == "it is larger than max_bytes, 4096, even when cut"


async def test_ocsf_is_sent_within_the_size_too_and_says_what_was_cut(post: Post, rsyslog: Rsyslog) -> None:
    rsyslog.clear()
    how: dict[str, Any] = {"observed_at": "2026-11-25T01:00:00Z"}
    post.fill([finding(1, **how), finding(2, message="é" * 9_000, evidence={"disks": "x" * 5_000}, **how)])

    report = await post.send(_over_tcp(rsyslog.port, max_bytes=4_096, format="ocsf"))

    assert (report.taken, report.refused, report.left) == (2, 0, 0)
    events = [json.loads(each["text"]) for each in rsyslog.messages(2)]
    for event in events:
        validate(event)
    assert [event["unmapped"].get("truncated", False) for event in events] == [False, True]
    assert events[1]["unmapped"]["evidence"] == {}
    assert set(events[1]["message"]) == {"é", "…"}
    assert max(len(each["raw"].encode()) for each in rsyslog.messages(2)) <= 4_096


def test_an_event_whose_body_is_ocsf_is_told_by_the_same_words() -> None:
    body: dict[str, Any] = {
        "class_uid": 2003,
        "severity_id": 5,
        "time": 1795568400250,
        "finding_info": {"uid": "f1"},
        "cloud": {"account": {"uid": "111122223333"}, "region": REGION},
        "compliance": {"control": "stuck-export"},
        "unmapped": {"auditor_status": "new"},
    }
    syslog: Any = _over_tcp(514)
    message = syslog._message(_due(finding_id="f1", **body)).decode()
    assert message.startswith("<130>1 2026-11-25T01:00:00.250000Z ")
    assert (
        '[auditor@32473 event_id="e1" kind="finding" finding_id="f1" severity="critical" account="111122223333" '
        f'region="{REGION}" policy="stuck-export" status="new"] {{'
    ) in message


@pytest.mark.parametrize(
    ("kind", "body", "priority"),
    [
        ("gap", {"accepted": {"owner": "o"}}, 133),
        ("gap", {"accepted": None}, 131),
        ("run", {"exit_code": 0}, 134),
        ("run", {"exit_code": 1}, 134),
        ("run", {"exit_code": 3}, 131),
        *(("finding", {"severity": each}, 130 + number) for number, each in enumerate(Severity)),
        ("finding", {"severity": [], "observed_at": 3, "region": {}, "status": Status.NEW}, 134),
    ],
)
def test_the_priority_says_how_much_it_matters(kind: str, body: dict[str, Any], priority: int) -> None:
    syslog: Any = _over_tcp(514)
    event = Event("e1", kind, json.dumps(body).encode())
    assert syslog._message(Due(1, event, "run-1", 0, None)).startswith(b"<%d>1 - " % priority)


# What proves that it was taken


async def test_events_of_a_daemon_that_hangs_and_is_killed_stay_and_come_later(
    post: Post, tmp_path: Path
) -> None:
    daemon = _daemon(tmp_path)
    daemon.start()
    try:
        post.fill(findings(20))
        daemon.pause()
        hung = await post.send(_over_tcp(daemon.port, timeout="1s"), seconds=3)
        daemon.stop(signal.SIGKILL)
        async with _over_tcp(daemon.port) as siem:
            (gone,) = await siem.send([_due()])
        daemon.start()
        report = await post.send(_over_tcp(daemon.port))
        said = daemon.messages(20)
    finally:
        daemon.stop()

    assert hung.fault == "siem: 20 event(s) left: no answer within 1 s"
    assert isinstance(gone, Later)
    assert "Connect call failed" in gone.why
    assert report.taken == 20
    assert {json.loads(each["text"])["resource_name"] for each in said} == set(names(1, 20))


@pytest.mark.parametrize("tls", [False, True])
async def test_a_daemon_that_is_killed_amid_a_batch_gets_the_rest_and_that_batch_later(
    post: Post, tmp_path: Path, *, tls: bool
) -> None:
    daemon = _daemon(tmp_path)
    daemon.start()
    post.fill(findings(2_000))
    siem: Any = _over_tls(daemon.tls_port, tmp_path) if tls else _over_tcp(daemon.port)
    noticed, send = anyio.Event(), siem.send

    async def noticing(batch: Sequence[Due]) -> Sequence[Receipt]:
        receipts: Sequence[Receipt] = await send(batch)
        if any(isinstance(each, Later) for each in receipts):
            noticed.set()
        return receipts

    def kill() -> int:
        daemon.messages(100)
        daemon.stop(signal.SIGKILL)
        return daemon.written()

    siem.send = noticing
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(post.send, siem)
            at_the_end = await to_thread.run_sync(kill)
            await noticed.wait()
            group.cancel_scope.cancel()
        left = post.left()["siem"]
        daemon.start()
        report = await post.send(siem)
        said = daemon.messages(2_000)
    finally:
        daemon.stop()

    assert at_the_end < 2_000
    # What is not known to have been written is sent again, with the ids that it had.
    assert 2_000 - at_the_end <= left == report.taken
    assert {json.loads(each["text"])["resource_name"] for each in said} == set(names(1, 2_000))
    assert len({json.loads(each["parsed"])["auditor@32473"]["event_id"] for each in said}) == 2_000


# TLS


@pytest.mark.parametrize("way", ["ossl", "gtls"], indirect=True)
async def test_only_the_alert_of_tls_counts_where_it_is_asked_for(way: Way) -> None:
    async with way.siem(close_notify=True) as siem:
        (receipt,) = await siem.send([_due()])

    if way.name == "ossl":
        assert receipt == Taken()
    else:  # GnuTLS's driver of rsyslog just closes the connection
        assert receipt == Later("the receiver closed the connection without TLS's close_notify")


async def test_a_receiver_that_nobody_vouches_for_is_sent_nothing(rsyslog: Rsyslog, tmp_path: Path) -> None:
    rsyslog.clear()
    async with _over_tls(rsyslog.tls_port, certificate_in(tmp_path)) as siem:
        (receipt,) = await siem.send([_due()])
    assert isinstance(receipt, Later)
    assert "certificate verify failed" in receipt.why.lower().replace("_", " ")
    assert rsyslog.written() == 0


async def test_a_certificate_of_ones_own_lets_one_in(tmp_path: Path, tmp_path_factory: Any) -> None:
    own = certificate_in(tmp_path_factory.mktemp("own"))
    daemon = _daemon(tmp_path, client_ca=own / "cert.pem")
    daemon.start()
    try:
        keys: dict[str, Any] = {"cert_file": str(own / "cert.pem"), "key_file": str(own / "key.pem")}
        async with _over_tls(daemon.tls_port, tmp_path, **keys) as siem:
            (let_in,) = await siem.send([_due()])
        async with _over_tls(daemon.tls_port, tmp_path) as siem:
            (left_out,) = await siem.send([_due()])
    finally:
        daemon.stop()

    assert let_in == Taken()
    assert isinstance(left_out, Later)
    assert daemon.written() == 1


# What can be told before anything is sent


def test_plain_tcp_to_elsewhere_is_refused_unless_it_is_asked_for() -> None:
    how: dict[str, Any] = {"host": "siem.example.com", "tls": False}
    with pytest.raises(UsageError, match=r"siem would be sent to over plain TCP to siem.example.com: remove"):
        made("syslog", **how)
    made("syslog", **how, allow_http=True)
    made("syslog", host="siem.example.com")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"cert_file": "nowhere.pem"},
            "cert_file nowhere.pem: No such file or directory; name files that do",
        ),
        ({"key_file": "key.pem"}, "key_file stands without cert_file; name both, or neither"),
        ({"ca_file": "nowhere.pem"}, "ca_file nowhere.pem: No such file or directory"),
        ({"tls": False, "ca_file": "x.pem"}, "ca_file stands with tls: false; remove one of the two"),
    ],
)
def test_files_that_can_not_be_used_are_told_before_anything_is_sent(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        made("syslog", host="127.0.0.1", **settings)
    assert said in str(caught.value)


def test_a_key_with_a_password_is_told_and_not_asked_for_on_the_terminal(tmp_path: Path) -> None:
    certificate_in(tmp_path)
    key = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary"))
    )
    keys: dict[str, Any] = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    with pytest.raises(UsageError, match=r"hold no certificate in PEM with its key, without a password"):
        made("syslog", host="127.0.0.1", **keys)


@pytest.mark.parametrize(
    "host", ["", "siem example", "https://siem", "siem..example", "a" * 64, "siem:6514", "::g"]
)
def test_a_host_that_is_none_is_told(host: str) -> None:
    with pytest.raises(ValidationError):
        made("syslog", host=host)


@pytest.mark.parametrize("host", ["siem", "siem.example.com", "10.0.0.1", "2001:db8::1", "log_host.internal"])
def test_a_name_or_an_address_is_a_host(host: str) -> None:
    assert made("syslog", host=host).settings.host == host


@pytest.mark.parametrize("sd_id", ["auditor", "a b@1", "a=b@1", "a]@1", 'a"@1', "auditor@x"])
def test_an_id_that_no_structured_data_can_have_is_told(sd_id: str) -> None:
    with pytest.raises(ValidationError):
        made("syslog", host="siem", sd_id=sd_id)
