from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.model import ListShape, Shape, StructureShape

from auditor.simulator import cases, oddities
from auditor.simulator.estate import Estate, SimAccount, generate

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-3")


def estate(seed: int = 7, **options: Any) -> Estate:
    return generate(seed, **{"accounts": 4, "regions": REGIONS, "now": NOW, **options})


@pytest.fixture(scope="module")
def page() -> StructureShape:
    """The shape of a page."""
    model = botocore.session.get_session().get_service_model("lightsail")
    shape = model.operation_model("GetExportSnapshotRecords").output_shape
    assert shape is not None
    return shape


def departures(shape: Shape, value: Any, path: str = "") -> list[str]:
    """What in `value` is not as `shape` says: members that it does not know, and values of another type."""
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            return [path]
        unknown = [f"{path}.{name}" for name in value if name not in shape.members]
        known = [name for name in value if name in shape.members]
        return unknown + [at for n in known for at in departures(shape.members[n], value[n], f"{path}.{n}")]
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return [path]
        return [at for n, item in enumerate(value) for at in departures(shape.member, item, f"{path}[{n}]")]
    types: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "boolean": (bool,),
        "timestamp": (int, float),
    }
    if type(value) not in types[shape.type_name]:
        return [path]
    allowed = getattr(shape, "enum", [])
    return [f"{path}={value}"] if allowed and value not in allowed else []


def test_the_same_seed_gives_the_same_estate_byte_for_byte_and_another_seed_another() -> None:
    def written(made: Estate) -> str:
        return json.dumps([[account.id, account.external_id, account.records] for account in made.accounts])

    assert repr(estate().accounts) == repr(estate().accounts)
    assert estate() == estate()
    assert written(estate()) == written(estate())
    assert estate().base.secret_key == estate().base.secret_key
    assert not {a.id for a in estate().accounts} & {a.id for a in estate(8).accounts}
    assert written(estate()) != written(estate(8))


def test_every_record_is_what_the_service_model_says(page: StructureShape) -> None:
    for account in estate().accounts:
        for records in account.records.values():
            assert departures(page, {"exportSnapshotRecords": list(records)}) == []


def test_awss_own_published_example_is_what_the_service_model_says_and_has_the_members_of_ours(
    page: StructureShape,
) -> None:
    example = json.loads((Path(__file__).parent / "aws_example.json").read_text())
    assert len(example["exportSnapshotRecords"]) == 2
    assert departures(page, example) == []

    def members(value: Any, path: str = "") -> set[str]:
        if isinstance(value, list):
            return {at for item in value for at in members(item, path)}
        if isinstance(value, dict):
            return {at for name, item in value.items() for at in members(item, f"{path}.{name}")} | {path}
        return {path}

    ours = [
        record
        for account in estate().accounts
        for records in account.records.values()
        for record in records
        if record["state"] == "Succeeded" and record["sourceInfo"]["resourceType"] == "InstanceSnapshot"
    ]
    assert members(example["exportSnapshotRecords"]) <= members(ours)


def test_a_departure_from_the_service_model_would_be_seen(page: StructureShape) -> None:
    wrong = {
        "exportSnapshotRecords": [{"createdAt": "today", "state": "Gone", "colour": 1}],
        "nextPageToken": 1,
    }
    assert sorted(departures(page, wrong)) == [
        ".exportSnapshotRecords[0].colour",
        ".exportSnapshotRecords[0].createdAt",
        ".exportSnapshotRecords[0].state=Gone",
        ".nextPageToken",
    ]


def test_arns_are_unique_and_ids_are_twelve_digits_some_with_a_leading_zero() -> None:
    made = estate()
    arns = [record["arn"] for account in made.accounts for rs in account.records.values() for record in rs]
    assert len(arns) == len(set(arns)) == 30 * 11  # 4 accounts of 3 Regions, one of which one account lacks
    assert all(len(account.id) == 12 and account.id.isdecimal() for account in made.accounts)
    assert made.accounts[1].id.startswith("0")


def test_every_third_account_has_not_enabled_the_opt_in_region() -> None:
    enabled = [account.can_use("ap-southeast-3") for account in estate().accounts]
    assert enabled == [True, False, True, True]
    assert all(account.can_use("eu-north-1") for account in estate().accounts)


def test_each_kind_of_snapshot_and_each_state_occurs() -> None:
    records = [r for account in estate().accounts for rs in account.records.values() for r in rs]
    assert {r["state"] for r in records} == {"Started", "Succeeded", "Failed"}
    assert {r["sourceInfo"]["resourceType"] for r in records} == {"InstanceSnapshot", "DiskSnapshot"}


def counted(account: SimAccount, made: Estate) -> tuple[list[dict[str, Any]], dict[str, set[str]]]:
    broken = defaultdict(set)
    for policy, _, _, arn in made.truth:
        broken[arn].add(policy)
    return [record for records in account.records.values() for record in records], broken


def test_the_truth_of_a_target_that_holds_each_case_once_is_what_was_counted_by_hand() -> None:
    made = generate(1, accounts=1, regions=["us-east-1"], now=NOW, records_per_target=20, planted=1.0)
    (account,) = made.accounts
    records, broken = counted(account, made)
    assert len(records) == 20
    assert Counter(policy for policy, *_ in made.truth) == {
        "stale-failed-export": 6,
        "oversized-disk": 4,
        "stuck-export": 1,
    }

    def seen(state: str, **age: float) -> list[tuple[Any, set[str]]]:
        at = (NOW - timedelta(**age)).timestamp()
        return [(r, broken[r["arn"]]) for r in records if r["state"] == state and r["createdAt"] == at]

    ((_, nothing),) = seen("Failed", days=2)
    assert nothing == set()
    ((failed, nothing),) = seen("Failed", days=9)
    ((succeeded, _),) = seen("Succeeded", days=8)
    assert nothing == set()
    assert failed["sourceInfo"]["arn"] == succeeded["sourceInfo"]["arn"]
    ((failed, stale),) = seen("Failed", days=12)
    assert stale == {"stale-failed-export"}
    assert "arn" not in failed["sourceInfo"]
    assert {frozenset(policies) for _, policies in seen("Started", hours=1)} == {frozenset()}
    assert [policies for _, policies in seen("Started", hours=23)] == [set()]
    assert [policies for _, policies in seen("Started", days=3)] == [{"stuck-export"}]
    ((at_limit, nothing),) = seen("Succeeded", days=40)
    sizes = [disk["sizeInGb"] for disk in at_limit["sourceInfo"]["instanceSnapshotInfo"]["fromDiskInfo"]]
    assert (sizes, nothing) == ([640, 640], set())
    ((at_limit, nothing),) = seen("Succeeded", days=41)
    assert (at_limit["sourceInfo"]["diskSnapshotInfo"], nothing) == ({"sizeInGb": 640}, set())
    assert [policies for _, policies in seen("Failed", days=20)] == [
        {"stale-failed-export", "oversized-disk"}
    ]


def test_records_that_can_not_be_judged_are_named_and_are_there_only_when_asked_for() -> None:
    assert estate().unjudgeable == frozenset()
    made = estate(oddities=True)
    assert {policy for policy, *_ in made.unjudgeable} == {
        "stale-failed-export",
        "oversized-disk",
        "stuck-export",
    }
    records = {r["arn"]: r for account in made.accounts for rs in account.records.values() for r in rs}
    for policy, _, _, arn in made.unjudgeable:
        record = records[arn]
        if policy == "stuck-export":
            assert "state" not in record
        if policy == "oversized-disk":
            info = record.get("sourceInfo", {}).get("instanceSnapshotInfo", {})
            assert not info.get("fromDiskInfo")
    assert any(record["name"] == oddities.HOSTILE_NAME for record in records.values())


def test_no_case_is_left_out_of_an_estate_that_is_large_enough() -> None:
    assert len(cases.CASES) == 13
    defined = {
        value
        for value in vars(cases).values()
        if callable(value) and getattr(value, "__module__", "") == cases.__name__
    }
    assert defined - {cases.benign, cases.days, cases.Planted} == set(cases.CASES)


def test_the_configuration_names_every_account_as_text_with_its_external_id_and_regions() -> None:
    made = estate()
    read = yaml.safe_load(made.accounts_yaml())
    assert read["version"] == 1
    assert [(a["id"], a["external_id"], tuple(a["regions"])) for a in read["accounts"]] == [
        (account.id, account.external_id, REGIONS) for account in made.accounts
    ]


def test_a_role_with_a_path_is_configured_by_its_arn() -> None:
    account = SimAccount("012345678901", None, frozenset(), {}, role_name="audit/Reader")
    made = Estate((account,), ("us-east-1",), estate().base)
    (read,) = yaml.safe_load(made.accounts_yaml())["accounts"]
    assert read == {
        "id": "012345678901",
        "role_arn": "arn:aws:iam::012345678901:role/audit/Reader",
        "regions": ["us-east-1"],
    }


def test_secrets_stand_in_no_repr() -> None:
    base = estate(chained=True).base
    assert base.session_token is not None
    assert base.chained
    assert base.secret_key not in repr(base)
    assert base.session_token not in repr(base)
