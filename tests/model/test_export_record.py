from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from auditor.errors import UnusableField
from auditor.model import ABSENT, ExportRecord, Facts, KeptRecord, rfc3339

# Shape: Lightsail API reference, ExportSnapshotRecord.
WHOLE: dict[str, Any] = {
    "arn": "arn:aws:lightsail:us-east-1:111122223333:ExportSnapshotRecord/1",
    "name": "ExportSnapshotRecord-1",
    "createdAt": 1_700_000_000.25,
    "location": {"availabilityZone": "all", "regionName": "us-east-1"},
    "resourceType": "ExportSnapshotRecord",
    "state": "Succeeded",
    "sourceInfo": {
        "resourceType": "InstanceSnapshot",
        "name": "nightly",
        "arn": "arn:aws:lightsail:us-east-1:111122223333:InstanceSnapshot/2",
        "fromResourceName": "web",
        "fromResourceArn": "arn:aws:lightsail:us-east-1:111122223333:Instance/3",
    },
    "destinationInfo": {"id": "ami-0123", "service": "Aws::EC2::Image"},
    "fieldOfTomorrow": {"kept": [1]},
}
RELATED = (
    "record_arn state created_at source_snapshot_arn source_snapshot_name from_resource_arn "
    "from_resource_name destination_id"
).split()


def test_a_record_is_read_field_by_field() -> None:
    record = ExportRecord(WHOLE)
    assert record.arn == WHOLE["arn"]
    assert record.name == "ExportSnapshotRecord-1"
    assert record.resource_type == "ExportSnapshotRecord"
    assert record.state == "Succeeded"
    assert record.created_at == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
    assert record.destination_id == "ami-0123"
    assert record.source.name == "nightly"


def test_times_are_aware_and_in_utc() -> None:
    assert ExportRecord(WHOLE).created_at.tzinfo is UTC


def test_a_field_that_nobody_knows_yet_is_kept() -> None:
    assert ExportRecord(WHOLE).raw["fieldOfTomorrow"] == {"kept": [1]}


def test_a_finding_can_be_routed_by_what_is_related() -> None:
    assert ExportRecord(WHOLE).related() == {
        "record_arn": WHOLE["arn"],
        "state": "Succeeded",
        "created_at": "2023-11-14T22:13:20.250000Z",
        "source_snapshot_arn": WHOLE["sourceInfo"]["arn"],
        "source_snapshot_name": "nightly",
        "from_resource_arn": WHOLE["sourceInfo"]["fromResourceArn"],
        "from_resource_name": "web",
        "destination_id": "ami-0123",
    }


@pytest.mark.parametrize("raw", [{}, None, [], "text", 7, {"sourceInfo": [], "createdAt": "?"}], ids=repr)
def test_what_is_related_has_every_field_null_where_the_record_does_not_say(raw: object) -> None:
    assert ExportRecord(raw).related() == dict.fromkeys(RELATED)


@pytest.mark.parametrize("field", ["arn", "state", "createdAt"])
@pytest.mark.parametrize("value", [None, "", True, [], {}], ids=repr)
def test_a_field_that_a_judgement_rests_on_is_usable_or_raises(field: str, value: object) -> None:
    record = ExportRecord(WHOLE | {field: value})
    attribute = {"arn": "arn", "state": "state", "createdAt": "created_at"}[field]
    with pytest.raises(UnusableField) as caught:
        getattr(record, attribute)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["name", "resourceType", "sourceInfo", "destinationInfo"])
@pytest.mark.parametrize("value", [None, "", 7, True, [1]], ids=repr)
def test_a_field_that_is_only_told_is_null_where_it_is_of_another_type(field: str, value: object) -> None:
    record = ExportRecord(WHOLE | {field: value})
    told = {
        "name": record.name,
        "resourceType": record.resource_type,
        "sourceInfo": record.source.arn,
        "destinationInfo": record.destination_id,
    }
    assert told[field] is None
    assert None not in [text for name, text in told.items() if name != field]


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (1, "1970-01-01T00:00:01Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500000Z"),
    ],
)
def test_times_are_written_as_rfc_3339_in_utc(epoch: float, text: str) -> None:
    assert rfc3339(ExportRecord({"createdAt": epoch}).created_at) == text


def test_a_kept_record_comes_back_with_all_that_is_known_of_it() -> None:
    raw = {"arn": "arn:of-it", "createdAt": 1.5, "sourceInfo": {"name": "é"}}
    facts = Facts(source=ABSENT)
    back = KeptRecord(ExportRecord(raw, facts)).record()
    assert (back.raw, back.facts) == (raw, facts)


def test_a_kept_record_may_be_nested_deeper_than_json_is_written() -> None:
    raw: dict[str, Any] = {}
    for _ in range(1000):
        raw = {"deeper": raw}
    assert KeptRecord(ExportRecord(raw)).record().raw is raw


def test_a_kept_record_takes_less_than_half_the_memory() -> None:
    raws = [
        orjson.loads(orjson.dumps({"arn": f"arn:{at}"} | {f"k{n}": {"v": f"{at}-{n}"} for n in range(9)}))
        for at in range(500)
    ]
    tracemalloc.start()
    kept = [KeptRecord(ExportRecord(raw)) for raw in raws]
    as_json, _ = tracemalloc.get_traced_memory()
    back = [each.record() for each in kept]
    whole = tracemalloc.get_traced_memory()[0] - as_json
    tracemalloc.stop()
    assert len(back) == len(kept)
    assert as_json < whole / 2
