"""Kafka, as librdkafka's mock broker serves it, read back by a consumer."""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from pydantic import ValidationError

from auditor.delivery import Later, Refused, Taken, run_event
from auditor.errors import UsageError
from auditor.history import Due, Event
from tests.delivery.certificates import certificate_in, server_tls
from tests.delivery.conftest import Post, findings, made
from tests.delivery.mock_kafka import Cluster, cluster
from tests.formats.ocsf_schemas import validate
from tests.history.conftest import finding, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.delivery.contract import AnyDestination

HOSTILE = 'a"b\\c\n\r\x1b[31m\x00\u202eé\U0001f600'
UNKNOWN_TOPIC, NO_LEADER, TOO_LARGE, NOT_ALLOWED, INVALID_RECORD = 3, 5, 10, 29, 87
"""Error codes of Kafka's protocol."""


@pytest.fixture
def kafka() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def _to(kafka: Cluster, **settings: Any) -> AnyDestination:
    return made(
        "kafka", brokers=[kafka.bootstrap], topic=kafka.topic, security_protocol="plaintext", **settings
    )


def _due(number: int = 1) -> Due:
    return Due(number, Event(f"e{number}", "gap", b'{"schema":"auditor.gap/1"}'), "run-1", 0, None)


async def test_each_event_is_a_message_with_its_key_and_headers(
    post: Post, kafka: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_event({"schema": "auditor.run/1", "run_id": "run-1", **record(1)})
    gap = Event("e1", "gap", json.dumps({"schema": "auditor.gap/1", "gap_id": "g1"}).encode())
    found = finding(1, resource_name=HOSTILE, evidence={HOSTILE: HOSTILE})
    post.fill([found], [gap, run])

    report = await post.send(_to(kafka))

    assert (report.taken, report.fault) == (3, None)
    said = {each.key().decode(): each for each in kafka.messages(3)}
    assert set(said) == {found.finding_id, "g1", "run"}
    body = json.loads(said[found.finding_id].value())
    assert (body["resource_name"], body["evidence"]) == (HOSTILE, {HOSTILE: HOSTILE})
    assert said[found.finding_id].headers() == [
        ("event_id", body["event_id"].encode()),
        ("kind", b"finding"),
        ("schema", b"auditor.finding/1"),
        ("run_id", b"run-1"),
    ]
    assert dict(said["run"].headers())["event_id"] == run.event_id.encode()
    assert capfd.readouterr().err == ""


async def test_messages_are_in_ocsf_where_it_is_asked_for(post: Post, kafka: Cluster) -> None:
    found = finding(1, observed_at="2026-11-25T01:00:00Z")
    post.fill([found])
    report = await post.send(_to(kafka, format="ocsf", ocsf_version="1.6.0"))

    (message,) = kafka.messages(1)
    event = json.loads(message.value())
    validate(event)
    assert (report.taken, report.fault) == (1, None)
    assert message.key().decode() == event["finding_info"]["uid"] == found.finding_id
    assert dict(message.headers())["schema"] == b"ocsf/1.6.0"


async def test_events_about_one_finding_are_in_one_partition_and_in_their_order(
    post: Post, kafka: Cluster
) -> None:
    for _ in range(3):
        post.fill(findings(40))
    report = await post.send(_to(kafka))

    assert (report.taken, report.fault) == (120, None)
    said: dict[bytes, list[tuple[int, str]]] = {}
    for each in kafka.messages(120):
        run_id = dict(each.headers())["run_id"].decode()
        said.setdefault(each.key(), []).append((each.partition(), run_id))
    assert len(said) == 40
    for places in said.values():
        assert len({partition for partition, _ in places}) == 1
        assert [run_id for _, run_id in places] == ["run-1", "run-2", "run-3"]
    assert len({partition for places in said.values() for partition, _ in places}) == 3


async def test_a_broker_that_is_away_is_told_of_and_its_events_come_when_it_is_back(
    post: Post, kafka: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    post.fill(findings(3))
    kafka.down()
    async with _to(kafka, timeout="4s") as siem:
        (receipt,) = await siem.send([_due()])
        kafka.up()
        report = await post.send(siem)

    assert isinstance(receipt, Later)
    assert receipt.why.startswith("_TRANSPORT: ")
    assert "onnect" in receipt.why  # refused, or broken off
    assert (report.taken, report.left) == (3, 0)
    assert len(kafka.messages(3)) == 3
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [(UNKNOWN_TOPIC, "UNKNOWN_TOPIC_OR_PART: "), (NOT_ALLOWED, "TOPIC_AUTHORIZATION_FAILED: ")],
)
async def test_a_topic_that_can_not_be_had_is_told_and_loses_nothing(
    kafka: Cluster, code: int, said: str
) -> None:
    kafka.refuse_topic(code)
    async with _to(kafka) as siem:
        receipts = await siem.send([_due(1), _due(2)])
        kafka.refuse_topic(0)
        again = await siem.send([_due(1), _due(2)])

    assert [isinstance(each, Later) and each.why.startswith(said) for each in receipts] == [True, True]
    assert again == [Taken(), Taken()]


@pytest.mark.parametrize("code", [TOO_LARGE, INVALID_RECORD])
async def test_a_message_that_the_broker_will_never_take_is_refused_for_good(
    kafka: Cluster, code: int
) -> None:
    async with _to(kafka) as siem:
        kafka.refuse_messages(code)
        (refused,) = await siem.send([_due()])
        (taken,) = await siem.send([_due()])

    assert isinstance(refused, Refused)
    assert taken == Taken()


async def test_messages_that_are_too_large_together_are_sent_one_by_one(post: Post, kafka: Cluster) -> None:
    post.fill(findings(30))
    kafka.refuse_messages(*[TOO_LARGE] * 3)

    report = await post.send(_to(kafka))

    assert (report.taken, report.refused, report.left) == (30, 0, 0)
    assert len({each.key() for each in kafka.messages(30)}) == 30


async def test_a_broker_that_does_not_answer_is_given_up_and_nothing_hangs(
    post: Post, kafka: Cluster
) -> None:
    post.fill(findings(2))
    async with _to(kafka, timeout="2s") as siem:
        assert await siem.send([_due()]) == [Taken()]
        kafka.slow(60_000)
        (receipt,) = await siem.send([_due()])
    assert isinstance(receipt, Later)
    assert receipt.why.startswith("_T")

    began = anyio.current_time()
    report = await post.send(_to(kafka), seconds=0.5)
    assert anyio.current_time() - began < 8
    assert (report.taken, report.left) == (0, 2)


async def test_a_delivery_that_is_stopped_sends_nothing_afterwards(kafka: Cluster) -> None:
    async with _to(kafka) as siem:
        assert await siem.send([_due(1)]) == [Taken()]
        kafka.refuse_messages(*[NO_LEADER] * 1_000)  # which is tried again, and again
        with anyio.move_on_after(0.5) as scope:
            await siem.send([_due(2)])
        assert scope.cancelled_caught
        kafka.refuse_no_more()
        assert await siem.send([_due(3)]) == [Taken()]
    said = [dict(each.headers())["event_id"] for each in kafka.messages(2, then=1.5)]
    assert said == [b"e1", b"e3"]


# What can be told before anything is sent


def _settings(**settings: Any) -> dict[str, Any]:
    return {"brokers": ["kafka.example.com:9093"], "topic": "audit"} | settings


def test_plain_text_to_elsewhere_is_refused_unless_it_is_asked_for() -> None:
    plain = _settings(security_protocol="plaintext")
    with pytest.raises(UsageError, match=r"siem would be sent to in plain text to kafka.example.com: set"):
        made("kafka", **plain)
    made("kafka", **plain, allow_http=True)
    made("kafka", **_settings())
    made(
        "kafka", **_settings(brokers=["127.0.0.1:1", "[::1]:1", "localhost:1"], security_protocol="plaintext")
    )


async def test_a_cluster_that_leads_to_another_machine_is_sent_nothing_in_plain_text(kafka: Cluster) -> None:
    kafka.lead_to("kafka.example.com", 9092)
    async with _to(kafka) as siem:
        (receipt,) = await siem.send([_due()])
    why = "the cluster's broker kafka.example.com is another machine, which is not sent to in plain text"
    assert receipt == Later(why)


@pytest.mark.parametrize(
    ("settings", "password"),
    [
        ({"security_protocol": "sasl_ssl"}, None),
        ({"security_protocol": "sasl_ssl", "username": "auditor"}, None),
        ({"security_protocol": "sasl_ssl"}, "canary"),
        ({"username": "auditor"}, "canary"),
        ({"username": "auditor"}, None),
        ({}, "canary"),
    ],
)
def test_a_password_stands_with_its_user_and_protocol(settings: dict[str, Any], password: str | None) -> None:
    secrets = {"password": password} if password else {}
    with pytest.raises(UsageError, match="write all three, or none") as caught:
        made("kafka", secrets, **_settings(**settings))
    assert "canary" not in str(caught.value)


def test_who_sends_is_told_to_librdkafka() -> None:
    siem: Any = made(
        "kafka",
        {"password": "canary"},
        **_settings(security_protocol="sasl_ssl", username="auditor", timeout="10s"),
    )
    told = siem._configuration()
    assert {key: value for key, value in told.items() if key.startswith(("sasl", "security"))} == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "auditor",
        "sasl.password": "canary",
    }
    assert (told["acks"], told["enable.idempotence"]) == ("all", True)
    assert "canary" not in repr(siem.settings)
    assert siem._hidden(Later("no canary here")) == Later("no *** here")


def test_without_its_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(
        UsageError, match=r"siem: the library for Kafka is not installed; install it: pip install "
    ):
        made("kafka", **_settings())


@pytest.mark.parametrize(
    "broker", ["kafka", "kafka:0", "kafka:70000", "a b:1", "a,b:1", "SASL://u:p@h:1", ":1", "h:"]
)
def test_a_broker_that_is_none_is_told(broker: str) -> None:
    with pytest.raises(ValidationError):
        made("kafka", **_settings(brokers=[broker]))


async def test_a_broker_that_nobody_vouches_for_is_sent_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            tls = server_tls(certificate_in(tmp_path))
            try:
                while True:
                    connection, _ = listening.accept()
                    with connection, tls.wrap_socket(connection, server_side=True) as secure:
                        came.append(secure.recv(1_000))
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        broker = f"127.0.0.1:{listening.getsockname()[1]}"
        async with made("kafka", brokers=[broker], topic="audit", timeout="4s") as siem:
            (receipt,) = await siem.send([_due()])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()

    assert isinstance(receipt, Later)
    assert "certificate verify failed" in receipt.why
    assert came == []
    assert capfd.readouterr().err == ""
