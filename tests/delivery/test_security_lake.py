"""Security Lake's layout in a bucket, read back by DuckDB, and every row held to OCSF's own schema."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from pyarrow import parquet

from auditor.config import Receiver
from auditor.coverage import Ledger
from auditor.delivery import Taken, destination_settings, gap_events, run_event
from auditor.delivery.forms import FreeForm, say_of
from auditor.delivery.lake_parquet import parquet_of
from auditor.errors import UsageError
from auditor.formats import encoded
from auditor.history import Due, Event
from auditor.history.documents import document
from auditor.model import EXPORT_RECORDS, Account, Failure, Outcome, Reason, Target
from auditor.policies import catalogue
from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from tests.audit.conftest import Auditing
from tests.delivery.conftest import REGION, Post, aws_environment, made
from tests.delivery.parquet_pages import page_sizes
from tests.delivery.receiver import HAS_IT, Asked, http, receiving
from tests.formats.made import EVERY_STATUS, HOSTILE_FINDING, LONG_FINDING, RUN, START
from tests.formats.made import finding as found_by_hand
from tests.formats.ocsf_schemas import VERSIONS, validate
from tests.history.conftest import finding as found_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.model import Finding

LAKE = "111122223333"
"""The account of the lake, under which that stands which is of none."""
OTHER = "444455556666"
finding = partial(found_at, observed_at="2026-01-02T00:00:00Z")
RECORD = RUN | {
    "finished_at": "2026-11-25T01:05:00Z",
    "started_at": "2026-11-25T01:00:00Z",
    "totals": RUN["totals"] | {"findings": {"total": 3, "by_status": {"new": 3}, "waived": 0}},
}


def lake(**settings: Any) -> Any:
    return made("security-lake", **{"bucket": "lake", "region": REGION, "account_id": LAKE, **settings})


def _lost(*numbers: int) -> Ledger:
    """A ledger of accounts that all lost the same credentials."""
    accounts = [Account(f"{number:012}", None, "arn", None, "s", 3600, (REGION,)) for number in numbers]
    targets = [Target(EXPORT_RECORDS, account, REGION) for account in accounts]
    ledger = Ledger(targets)
    for target in targets:
        ledger.settle(target, Outcome(), Failure(Reason.EXPIRED_CREDENTIALS, "ExpiredToken", "ended"))
    return ledger


def _bucket(aws: Any, name: str) -> Any:
    s3 = aws("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


def _keys(s3: Any, bucket: str) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def _event_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the lake as the event that it is of: what is null is not there."""
    event = {key: _stripped(value) for key, value in row.items() if value is not None}
    event["unmapped"] = {key: _unmapped(value) for key, value in dict(row["unmapped"]).items()}
    return event


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if item is not None}
    return [_stripped(item) for item in value] if isinstance(value, list) else value


def _unmapped(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


async def test_a_night_is_read_back_by_its_partitions(post: Post, aws: Any, tmp_path: Path) -> None:
    s3 = _bucket(aws, "lake-one")
    here = [finding(number, account_id=LAKE, region="us-east-1") for number in (1, 2)]
    there = [finding(1, account_id=OTHER, region="eu-west-1")]
    gaps = gap_events("run-1", "2026-01-02T00:00:00Z", _lost(1, 2).lines_of_gaps())
    post.fill([here[0], there[0], here[1]], [*gaps, run_event(RECORD)])

    report = await post.send(lake(bucket="lake-one"))

    assert (report.taken, report.fault) == (5, None)
    keys = _keys(s3, "lake-one")
    day = f"{post.nights.started(1)[:10]:}".replace("-", "")
    assert [key.rpartition("/")[0] for key in keys] == [
        "ext/auditor-run/region=eu-west-1/accountId=111122223333/eventDay=20261125",
        "ext/auditor/region=eu-west-1/accountId=111122223333/eventDay=20260102",
        f"ext/auditor/region=eu-west-1/accountId=444455556666/eventDay={day}",
        f"ext/auditor/region=us-east-1/accountId=111122223333/eventDay={day}",
    ]
    for key in keys:
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket="lake-one", Key=key)["Body"].read())
    with duckdb.connect() as connection:
        read = partial(_read, connection, tmp_path)
        assert read("auditor", "region, accountId, finding_info.uid, compliance.status") == {
            ("us-east-1", LAKE, here[0].finding_id, "Fail"),
            ("us-east-1", LAKE, here[1].finding_id, "Fail"),
            ("eu-west-1", OTHER, there[0].finding_id, "Fail"),
            (REGION, LAKE, json.loads(gaps[0].body)["gap_id"], "Unknown"),
        }
        assert read("auditor-run", "accountId, eventDay, status, num_detections, scan.uid") == {
            (LAKE, "20261125", "Failure", 3, RECORD["run_id"])
        }
        assert read("auditor", "resources[1].uid, unmapped['auditor_status'], metadata.version") >= {
            (here[0].resource_arn, "new", "1.3.0")
        }


async def test_a_whole_night_stands_in_the_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: str, aws: Any
) -> None:
    s3 = _bucket(aws, "lake-of-a-night")
    now = datetime.now(UTC) - timedelta(seconds=1)
    estate = generate(7, accounts=2, regions=("us-east-1", "eu-west-1"), now=now, records_per_target=10)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    settings = f"type: security-lake, region: {REGION}, bucket: lake-of-a-night, account_id: '{LAKE}'"
    denied = Fault(FaultKind.ACCESS_DENIED, estate.accounts[0].id)
    auditing = Auditing(tmp_path, monkeypatch)
    seen = await auditing(estate, denied, extra=f"history: {{}}\ndestinations:\n  lake: {{{settings}}}\n")

    rows: list[dict[str, Any]] = []
    for key in _keys(s3, "lake-of-a-night"):
        body = s3.get_object(Bucket="lake-of-a-night", Key=key)["Body"].read()
        these = [_event_of(row) for row in parquet.read_table(io.BytesIO(body)).to_pylist()]
        for row in these:
            validate(row)
        assert len({row["class_uid"] for row in these}) == 1
        rows += these
    told = {(row["class_uid"], row["compliance"]["status"]) for row in rows if "compliance" in row}
    titles = {
        row["finding_info"]["title"] for row in rows if row.get("compliance", {}).get("status") == "Fail"
    }
    assert 4 not in seen.run["exit_conditions"]
    assert told == {(2003, "Fail"), (2003, "Unknown")}
    assert {row["metadata"]["uid"] for row in rows} >= {found["event_id"] for found in seen.findings}
    assert titles == {catalogue()[found["policy"]].title for found in seen.findings}
    assert [row["scan"]["uid"] for row in rows if row["class_uid"] == 6007] == [seen.run["run_id"]]


def _read(connection: Any, folder: Path, source: str, columns: str) -> set[tuple[Any, ...]]:
    files = f"read_parquet('{folder}/ext/{source}/*/*/*/*.parquet', hive_partitioning=true, hive_types_autocast=0)"
    return set(connection.sql(f"SELECT {columns} FROM {files}").fetchall())  # noqa: S608 -- our own words


def _told(version: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the events of each class."""
    settings = FreeForm.model_validate({"type": "x", "format": "ocsf", "ocsf_version": version})
    say = say_of(Receiver("lake", settings), START.policies)
    assert say is not None
    found: list[Finding] = [*EVERY_STATUS.values(), HOSTILE_FINDING, LONG_FINDING, found_by_hand(evidence={})]
    # The one that is waived is the one that recurs.
    bodies = [document(each) for each in {each.event_id: each for each in found}.values()]
    bodies += [event.body for event in gap_events("run-1", START.started_at, _lost(1, 2).lines())]
    bodies += [event.body for event in gap_events("run-1", START.started_at, _lost(1).lines())]
    events = [say(json.loads(body), said_at=START.started_at) for body in bodies]
    yield json.loads(b"[" + b",".join(map(encoded, events)) + b"]")
    yield [json.loads(encoded(say(json.loads(run_event(RECORD).body), said_at=None)))]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_field_of_an_event_is_lost_and_every_row_is_valid(version: str) -> None:
    for events in _told(version):
        rows = parquet.read_table(io.BytesIO(parquet_of(events))).to_pylist()
        read = {row["metadata"]["uid"]: _event_of(row) for row in rows}
        assert len(read) == len(events)
        for event in events:
            validate(read[event["metadata"]["uid"]])
            unmapped = {key: value for key, value in event["unmapped"].items() if value is not None}
            assert read[event["metadata"]["uid"]] == event | {"unmapped": unmapped}


def test_rows_are_sorted_by_time_in_one_group_of_small_pages_of_zstandard() -> None:
    (events, _) = _told("1.3.0")
    large = [
        events[0]
        | {
            "time": 1_795_568_400_000 - number,
            "metadata": events[0]["metadata"] | {"uid": f"{number}"},
            "unmapped": {"evidence": {"x": f"{number:06}" * 30_000}},
        }
        for number in range(40)
    ]
    data = parquet_of(large)
    metadata = parquet.ParquetFile(io.BytesIO(data)).metadata
    sizes = list(page_sizes(data))
    times = parquet.read_table(io.BytesIO(data), columns=["time"]).column("time").to_pylist()
    columns = [metadata.row_group(0).column(number) for number in range(metadata.num_columns)]

    assert times == sorted(times)
    assert metadata.num_row_groups == 1
    assert {column.compression for column in columns} == {"ZSTD"}
    assert metadata.row_group(0).sorting_columns[0].column_index == 0
    assert metadata.schema.column(0).name == "time"
    assert sum(sizes) > 7_000_000
    assert max(sizes) <= 1_000_000


def test_the_same_events_make_the_same_file_in_whatever_order_they_come() -> None:
    (events, _) = _told("1.3.0")
    assert parquet_of(events) == parquet_of(list(reversed(events)))


async def test_an_object_that_is_put_twice_is_the_same_one(aws: Any) -> None:
    s3 = _bucket(aws, "lake-two")
    (events, _) = _told("1.3.0")
    ours = [event for event in events if event["cloud"].get("region") == "us-east-1"]
    due = [
        Due(
            at, Event(event["metadata"]["uid"], "finding", json.dumps(event).encode(), None), "run-1", 0, None
        )
        for at, event in enumerate(ours, 1)
    ]
    async with lake(bucket="lake-two") as destination:
        assert {destination.lane(each.event) for each in due} == {
            "ext/auditor/region=us-east-1/accountId=111122223333/eventDay=20250301"
        }
        for _ in range(2):
            assert set(await destination.send(due)) == {Taken()}
    (key,) = _keys(s3, "lake-two")
    assert key.rpartition("/")[2].startswith("part-000000000001-")


async def test_the_version_of_a_source_stands_in_its_prefix(post: Post, aws: Any) -> None:
    s3 = _bucket(aws, "lake-three")
    post.fill([finding(1)], [run_event(RECORD)])
    report = await post.send(lake(bucket="lake-three", source="exports", source_version="1.0"))
    assert report.taken == 2
    assert [key.partition("/region=")[0] for key in _keys(s3, "lake-three")] == [
        "ext/exports-run/1.0",
        "ext/exports/1.0",
    ]


async def test_what_stands_under_no_account_or_region_stands_under_that_of_the_settings(aws: Any) -> None:
    assert aws is not None
    hostile = {"uid": "../../elsewhere"}
    told = {"class_uid": 2003, "time": 0, "cloud": {"account": hostile, "region": "../x"}}
    event = Event("e", "gap", json.dumps(told).encode(), None)
    assert lake().lane(event) == f"ext/auditor/region={REGION}/accountId={LAKE}/eventDay=19700101"


async def test_runs_are_put_with_the_role_of_their_own_source(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    given = (
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
        "<AccessKeyId>ASIA{}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )

    def answer(asked: Asked) -> bytes:
        if b"AssumeRole" not in asked.body:
            return HAS_IT
        return http(
            200, given.format("RUNS" if b"Provider-auditor-run-" in asked.body else "FINDINGS").encode()
        )

    roles = "arn:aws:iam::111122223333:role/AmazonSecurityLake-Provider-auditor{}-eu-west-1"
    post.fill([finding(1)], [run_event(RECORD)])
    async with receiving(answer) as receiver:
        aws_environment(monkeypatch, receiver.url.removesuffix("/in"))
        report = await post.send(lake(role_arn=roles.format(""), run_role_arn=roles.format("-run")))

    puts = [asked for asked in receiver.asked if b"AssumeRole" not in asked.body]
    assert report.taken == 2
    assert [("auditor-run" in put.path, "ASIARUNS/" in put.headers["authorization"]) for put in puts] == [
        (False, False),
        (True, True),
    ]


async def test_an_event_that_is_too_large_for_a_page_is_cut(post: Post, aws: Any) -> None:
    s3 = _bucket(aws, "lake-four")
    post.fill([finding(1, evidence={"x": "y" * 400_000})])
    report = await post.send(lake(bucket="lake-four"))
    (key,) = _keys(s3, "lake-four")
    body = s3.get_object(Bucket="lake-four", Key=key)["Body"].read()
    (row,) = parquet.read_table(io.BytesIO(body)).to_pylist()
    assert report.taken == 1
    assert dict(row["unmapped"])["truncated"] == "true"
    assert dict(row["unmapped"])["evidence"] == "{}"


def test_without_pyarrow_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.delivery.security_lake.find_spec", lambda _name: None)
    with pytest.raises(
        UsageError, match=r"siem: pyarrow is not installed; install it: pip install '\.\[parq"
    ):
        lake()


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "a" * 17},
        {"source": "a/b"},
        {"account_id": "12"},
        {"source_version": "../x"},
        {"format": "json"},
    ],
)
def test_what_security_lake_would_not_take_is_refused(wrong: dict[str, str]) -> None:
    settings = {"type": "security-lake", "bucket": "lake", "region": REGION, "account_id": LAKE}
    kind = destination_settings()["security-lake"]
    assert kind.model_validate(settings).dialect == "1.3.0"
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind.model_validate(settings | wrong)
