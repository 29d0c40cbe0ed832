"""Destinations in AWS, as moto serves it; what moto takes all too willingly is asserted here."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from auditor.delivery import Later, Refused, Taken
from auditor.errors import UsageError
from auditor.history import Due, Event
from tests.delivery.conftest import REGION, Post, aws_environment, findings, made, names
from tests.delivery.receiver import HAS_IT, Asked, http, receiving
from tests.formats.ocsf_schemas import VERSIONS, validate
from tests.history.conftest import finding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROLE = "arn:aws:iam::111122223333:role/AuditDelivery"


def _due(number: int = 1, body: bytes = b'{"schema":"auditor.gap/1"}', **how: Any) -> Due:
    return Due(
        number, Event(f"e{number}", "gap", body, how.get("finding_id")), how.get("run_id", "run-1"), 0, None
    )


@asynccontextmanager
async def _answering(
    monkeypatch: pytest.MonkeyPatch, said: bytes, asked: list[Asked] | None = None
) -> AsyncIterator[str]:
    """Serve one answer to every call of AWS."""
    async with receiving(lambda _asked: said) as receiver:
        aws_environment(monkeypatch, receiver.url.removesuffix("/in"))
        yield receiver.url
        if asked is not None:
            asked += receiver.asked


def _json(body: Any, status: int = 200) -> bytes:
    return http(status, json.dumps(body).encode(), "Content-Type: application/x-amz-json-1.1")


def _lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


# S3


async def test_a_run_is_put_into_the_bucket_as_json_lines(post: Post, aws: Any) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="audit-one", CreateBucketConfiguration={"LocationConstraint": REGION})
    post.fill(findings(3))
    post.fill(findings(1))

    destination = made("s3", bucket="audit-one", region=REGION, prefix="exports/nightly")
    report = await post.send(destination)

    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="audit-one")["Contents"]]
    said = {key: _lines(s3.get_object(Bucket="audit-one", Key=key)["Body"].read()) for key in keys}
    assert [key.rpartition("-")[0] for key in keys] == [
        "exports/nightly/run-1/part-000000000001",
        "exports/nightly/run-2/part-000000000004",
    ]
    assert [[each["resource_name"] for each in lines] for lines in said.values()] == [
        names(1, 3),
        names(1, 1),
    ]
    assert (report.taken, report.fault) == (4, None)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_bucket_is_told_in_ocsf_where_it_is_asked_for(post: Post, aws: Any, version: str) -> None:
    s3 = aws("s3")
    bucket = f"audit-ocsf-{version}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    post.fill(findings(3, observed_at="2026-11-25T01:00:00Z"))

    how: dict[str, Any] = {"bucket": bucket, "region": REGION, "format": "ocsf", "ocsf_version": version}
    report = await post.send(made("s3", **how))

    (key,) = (each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"])
    events = _lines(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    for event in events:
        validate(event)
    assert [each["resources"][0]["name"] for each in events] == names(1, 3)
    assert {each["metadata"]["version"] for each in events} == {version}
    assert (report.taken, report.fault) == (3, None)


async def test_an_object_that_is_put_twice_is_the_same_and_another_never_takes_its_place(aws: Any) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="audit-two", CreateBucketConfiguration={"LocationConstraint": REGION})
    other = Due(1, Event("another", "gap", b"{}", None), "run-1", 0, None)

    async with made("s3", bucket="audit-two", region=REGION) as destination:
        for batch in ([_due(1), _due(2)], [_due(1), _due(2)], [other]):
            assert set(await destination.send(batch)) == {Taken()}

    assert s3.list_objects_v2(Bucket="audit-two")["KeyCount"] == 2


async def test_a_bucket_that_is_not_there_keeps_the_events(post: Post, aws: Any) -> None:
    assert aws is not None
    post.fill(findings(1))
    report = await post.send(made("s3", bucket="nowhere", region=REGION), seconds=3)
    assert report.fault is not None
    assert report.fault.startswith("siem: 1 event(s) left: NoSuchBucket: ")


async def test_a_role_is_assumed_with_its_external_id_and_its_keys_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = (
        b"<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
        b"<AccessKeyId>ASIAOFTHEROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t0ken"
        b"</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        b"</AssumeRoleResponse>"
    )

    def answer(asked: Asked) -> bytes:
        return http(200, given) if b"AssumeRole" in asked.body else HAS_IT

    async with receiving(answer) as receiver:
        aws_environment(monkeypatch, receiver.url.removesuffix("/in"))
        how: dict[str, Any] = {"bucket": "audit", "region": REGION, "role_arn": ROLE, "external_id": "an-id"}
        async with made("s3", **how) as destination:
            (first,) = await destination.send([_due(1)])
            (second,) = await destination.send([_due(2)])

    assume, *puts = receiver.asked
    assert (first, second) == (Taken(), Taken())
    assert b"ExternalId=an-id" in assume.body
    assert "AKIAEXAMPLE" in assume.headers["authorization"]
    assert [put.headers["x-amz-security-token"] for put in puts] == ["t0ken", "t0ken"]
    assert all("ASIAOFTHEROLE" in put.headers["authorization"] for put in puts)


async def test_a_session_that_has_expired_is_made_anew_for_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = (
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
        "<AccessKeyId>ASIA{}</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-session</SessionToken>"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    expired = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    assumed = 0

    def answer(asked: Asked) -> bytes:
        nonlocal assumed
        if b"AssumeRole" in asked.body:
            assumed += 1
            return http(200, given.format(assumed).encode())
        return http(400, expired) if "ASIA1/" in asked.headers["authorization"] else HAS_IT

    async with receiving(answer) as receiver:
        aws_environment(monkeypatch, receiver.url.removesuffix("/in"))
        async with made("s3", bucket="audit", region=REGION, role_arn=ROLE) as destination:
            (first,) = await destination.send([_due(1)])
            (second,) = await destination.send([_due(1)])

    assert first == Later("ExpiredToken: The provided token has expired.")
    assert second == Taken()


async def test_no_credentials_is_a_reason_and_no_end(post: Post) -> None:
    post.fill(findings(1))
    report = await post.send(made("s3", bucket="audit", region=REGION), seconds=3)
    assert report.left == 1
    assert report.fault is not None
    assert "no AWS credentials found" in report.fault


def test_an_external_id_without_a_role_is_refused() -> None:
    with pytest.raises(UsageError, match="external_id stands without role_arn"):
        made("s3", bucket="audit", region=REGION, external_id="an-id")


# SQS


async def test_messages_hold_one_event_each_and_what_to_filter_by(post: Post, aws: Any) -> None:
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="audit")["QueueUrl"]
    post.fill(findings(12))

    report = await post.send(made("sqs", queue_url=url, region=REGION))

    said: list[dict[str, Any]] = []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        said += got
        for each in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    bodies = [json.loads(each["Body"]) for each in said]
    assert sorted(each["resource_name"] for each in bodies) == sorted(names(1, 12))
    assert {each["MessageAttributes"]["event_id"]["StringValue"] for each in said} == {
        each["event_id"] for each in bodies
    }
    assert (report.taken, report.fault) == (12, None)


async def test_a_fifo_queue_keeps_one_copy_of_what_is_sent_twice(aws: Any) -> None:
    sqs = aws("sqs")
    attributes = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName="audit.fifo", Attributes=attributes)["QueueUrl"]

    async with made("sqs", queue_url=url, region=REGION) as destination:
        for _ in range(2):
            assert await destination.send([_due(1, finding_id="f1")]) == [Taken()]

    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"])[
        "Messages"
    ]
    assert message["Attributes"]["MessageGroupId"] == "f1"


async def test_what_sqs_says_of_each_message_is_what_becomes_of_its_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {
        "Successful": [{"Id": "1", "MessageId": "m", "MD5OfMessageBody": "x"}],
        "Failed": [
            {"Id": "2", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "bad character"},
            {"Id": "3", "SenderFault": False, "Code": "InternalError", "Message": "again"},
        ],
    }
    async with (
        _answering(monkeypatch, _json(answer)) as url,
        made("sqs", queue_url=f"{url}/q", region=REGION) as destination,
    ):
        said = await destination.send([_due(1), _due(2), _due(3), _due(4)])

    assert said == [
        Taken(),
        Refused("InvalidMessageContents: bad character"),
        Later("InternalError: again"),
        Later("SQS did not say what became of it"),
    ]


# EventBridge


async def test_entries_of_eventbridge_are_told_apart_by_their_type(post: Post, aws: Any) -> None:
    events, sqs = aws("events"), aws("sqs")
    url = sqs.create_queue(QueueName="from-the-bus")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="findings", EventPattern='{"source":["auditor"],"detail-type":["Auditor Finding"]}')
    events.put_targets(Rule="findings", Targets=[{"Id": "1", "Arn": arn}])
    post.fill([finding(1)], [Event("g", "gap", b'{"schema":"auditor.gap/1"}')])

    report = await post.send(made("eventbridge", region=REGION))

    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    told = json.loads(message["Body"])
    assert (report.taken, report.fault) == (2, None)
    assert told["detail"]["resource_name"] == "export-1"
    assert told["resources"] == [finding(1).resource_arn]


@pytest.mark.parametrize("form", ["json", "ocsf"])
async def test_an_entry_names_what_it_is_about_in_either_form(
    monkeypatch: pytest.MonkeyPatch, post: Post, form: str
) -> None:
    post.fill(findings(1, observed_at="2026-11-25T01:00:00Z"))
    asked: list[Asked] = []
    async with _answering(monkeypatch, _json({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}), asked):
        await post.send(made("eventbridge", region=REGION, format=form))
    (entry,) = json.loads(asked[0].body)["Entries"]
    assert entry["Resources"] == [finding(1).resource_arn]
    assert entry["DetailType"] == "Auditor Finding"
    assert ("class_uid" in json.loads(entry["Detail"])) == (form == "ocsf")


async def test_an_entry_that_eventbridge_did_not_take_is_sent_again_alone(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    post.fill(findings(3))
    answers = [
        {
            "FailedEntryCount": 1,
            "Entries": [
                {"EventId": "1"},
                {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"},
                {"EventId": "3"},
            ],
        },
        {"FailedEntryCount": 0, "Entries": [{"EventId": "2"}]},
    ]
    async with receiving(lambda _asked: _json(answers.pop(0))) as receiver:
        aws_environment(monkeypatch, receiver.url.removesuffix("/in"))
        report = await post.send(made("eventbridge", region=REGION))

    sent = [
        [json.loads(entry["Detail"])["resource_name"] for entry in json.loads(asked.body)["Entries"]]
        for asked in receiver.asked
    ]
    assert sent == [names(1, 3), names(2, 2)]
    assert (report.taken, report.left) == (3, 0)


# Firehose


async def test_records_of_firehose_are_lines_of_their_own(post: Post, aws: Any) -> None:
    s3, firehose = aws("s3"), aws("firehose")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": REGION})
    firehose.create_delivery_stream(
        DeliveryStreamName="audit",
        ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"},
    )
    post.fill(findings(3))

    report = await post.send(made("firehose", stream="audit", region=REGION))

    (stored,) = s3.list_objects_v2(Bucket="lake")["Contents"]
    lines = _lines(s3.get_object(Bucket="lake", Key=stored["Key"])["Body"].read())
    assert [each["resource_name"] for each in lines] == names(1, 3)
    assert (report.taken, report.fault) == (3, None)


async def test_a_record_that_firehose_did_not_take_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {
        "FailedPutCount": 1,
        "RequestResponses": [
            {"RecordId": "r"},
            {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"},
        ],
    }
    async with (
        _answering(monkeypatch, _json(answer)),
        made("firehose", stream="audit", region=REGION) as destination,
    ):
        said = await destination.send([_due(1), _due(2)])

    assert said == [Taken(), Later("ServiceUnavailableException: slow down")]


# What all of them have in common

KINDS: dict[str, dict[str, Any]] = {
    "s3": {"bucket": "audit"},
    "sqs": {"queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/audit"},
    "eventbridge": {},
    "firehose": {"stream": "audit"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "said",
    [
        _json({"__type": "AccessDeniedException", "message": "no"}, 400),
        _json({"__type": "ThrottlingException", "message": "slow down"}, 400),
        http(503, b"<html>busy</html>"),
        http(200, b"<html>a proxy says hello</html>", "Content-Type: text/html"),
        http(301, b"", "Location: http://elsewhere.example.com/"),
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        _json([]),
        _json(None),
        http(200, b"\xff\xfe"),
        http(200),
        _json({"Successful": [{}], "Entries": [], "RequestResponses": []}),
        _json({"Successful": [None], "Entries": [None], "RequestResponses": [None]}),
        _json({"Successful": "all", "Entries": "all", "RequestResponses": "all"}),
        _json({"Successful": [{"Id": "2"}], "Entries": [{}, {}], "RequestResponses": [{}, {}]}),
    ],
    ids=[
        "denied",
        "throttled",
        "busy",
        "garbage",
        "redirect",
        "no http",
        "a list",
        "null",
        "no text",
        "nothing",
        "no ids",
        "no entries",
        "words",
        "of others",
    ],
)
async def test_what_is_not_clearly_taken_is_kept(
    monkeypatch: pytest.MonkeyPatch, kind: str, said: bytes
) -> None:
    async with _answering(monkeypatch, said), made(kind, region=REGION, **KINDS[kind]) as destination:
        (receipt,) = await destination.send([_due(1)])

    assert isinstance(receipt, Later)
    assert "the-secret-key" not in receipt.why


LIMITS = {
    # Events and bytes of one call, and bytes of one event: as the services' API references say.
    "s3": (5_000, 8 * 2**20, 8 * 2**20),
    "sqs": (10, 2**20, 2**20),
    "eventbridge": (10, 999_999, 999_999),
    "firehose": (500, 4_000_000, 1_000_000),
}


def _size_of(kind: str, asked: Asked) -> tuple[int, list[int]]:
    """Return how many bytes a call holds by the service's own reckoning, and each of its events."""
    if kind == "s3":
        return len(asked.body), [len(line) + 1 for line in asked.body.splitlines()]
    told = json.loads(asked.body)
    sizes = {
        "sqs": lambda: [
            len(entry["MessageBody"].encode())
            + sum(
                len(name) + len(value["DataType"]) + len(value["StringValue"].encode())
                for name, value in entry["MessageAttributes"].items()
            )
            for entry in told["Entries"]
        ],
        "eventbridge": lambda: [
            14
            + sum(len(entry[key].encode()) for key in ("Source", "DetailType", "Detail"))
            + sum(len(arn.encode()) for arn in entry["Resources"])
            for entry in told["Entries"]
        ],
        "firehose": lambda: [len(record["Data"]) * 3 // 4 for record in told["Records"]],
    }[kind]()
    return sum(sizes), sizes


@pytest.mark.parametrize("kind", KINDS)
async def test_no_call_holds_more_than_its_service_takes(
    monkeypatch: pytest.MonkeyPatch, kind: str, post: Post
) -> None:
    large = [finding(number, evidence={"x": "y" * 300_000}) for number in range(1, 30)]
    larger = [finding(number, message="m" * 9_000_000) for number in range(30, 32)]
    many = [finding(number) for number in range(32, 600)]
    post.fill([*large, *larger, *many])

    def answer(asked: Asked) -> bytes:
        if kind == "s3":
            return HAS_IT
        told = json.loads(asked.body)
        count = len(told.get("Entries") or told["Records"])
        return {
            "sqs": lambda: _json({"Successful": [{"Id": entry["Id"]} for entry in told.get("Entries", [])]}),
            "eventbridge": lambda: _json({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}] * count}),
            "firehose": lambda: _json({"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"}] * count}),
        }[kind]()

    async with receiving(answer) as receiver:
        aws_environment(monkeypatch, receiver.url.removesuffix("/in"))
        report = await post.send(made(kind, region=REGION, **KINDS[kind]))

    assert (report.taken, report.refused, report.left, report.why) == (599, 0, 0, None)
    most, most_bytes, most_of_one = LIMITS[kind]
    for asked in receiver.asked:
        total, sizes = _size_of(kind, asked)
        assert len(sizes) <= most
        assert total <= most_bytes
        assert max(sizes) <= most_of_one
