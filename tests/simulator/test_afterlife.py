"""What exports left behind: its shapes, its truth, and Lightsail's other lists."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # has no stubs here
import pytest
from moto.server import ThreadedMotoServer

from auditor.simulator import afterlife_cases
from auditor.simulator.estate import Estate, generate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
REGION = "us-east-1"
OLD_POLICIES = {"stale-failed-export", "oversized-disk", "stuck-export"}


def estate(**options: Any) -> Estate:
    told = {"accounts": 2, "regions": [REGION], "records_per_target": 90, "planted": 1.0, "page_size": 20}
    return generate(31, **{**told, "now": NOW, "afterlife": True, **options})


def test_without_it_nothing_is_left_behind_and_nothing_new_is_true() -> None:
    made = estate(afterlife=False, oddities=True)
    assert all(not account.afterlife for account in made.accounts)
    assert {policy for policy, *_ in made.truth | made.unjudgeable} == OLD_POLICIES


def test_the_same_seed_leaves_the_same_behind() -> None:
    assert estate() == estate()
    assert repr(estate().accounts) == repr(estate().accounts)


def test_every_policy_is_broken_somewhere_but_the_one_that_allows_every_region() -> None:
    made = estate(oddities=True, records_per_target=200)
    assert {policy for policy, *_ in made.truth} - OLD_POLICIES == {
        "public-export",
        "unencrypted-export",
        "expired-retention",
        "repeated-failure",
        "unsupported-blueprint",
        "unused-export",
        "duplicate-export",
        "missing-destination",
        "only-copy",
    }
    assert {policy for policy, *_ in made.unjudgeable} - OLD_POLICIES == {
        "unencrypted-export",
        "expired-retention",
        "unsupported-blueprint",
        "missing-destination",
        "repeated-failure",
        "duplicate-export",
        "only-copy",
    }


def test_no_case_is_left_out() -> None:
    public = {
        n
        for n, v in vars(afterlife_cases).items()
        if getattr(v, "__module__", "") == afterlife_cases.__name__
    }
    told = {case.__name__ for case in afterlife_cases.AFTERLIFE_CASES + afterlife_cases.AFTERLIFE_ODDITIES}
    assert {name for name in public if not name.startswith("_")} - {"untold"} == told


def judged(made: Estate) -> set[tuple[str, str]]:  # noqa: C901 -- six policies in a row, each in a line or two
    """What breaks the policies about one copy, found again from what is served and nothing else."""
    found = set()
    now = NOW.timestamp()
    for account in made.accounts:
        life = account.afterlife[REGION]
        launched = {source["arn"] for stack in life.stacks for source in stack["sourceInfo"]}
        sources = {one["arn"] for one in (*life.instance_snapshots, *life.disk_snapshots)}
        copies: Counter[str] = Counter()
        there = []
        for record in account.records[REGION]:
            if record["state"] != "Succeeded":
                continue
            one = record["destinationInfo"]["id"]
            image = life.images.get(one)
            if image is None and one not in life.snapshots:
                found.add(("missing-destination", record["arn"]))
                continue
            ids = [m["ebs"]["snapshotId"] for m in image["blockDeviceMapping"]] if image else [one]
            there.append((record, image, ids))
            copies[record["sourceInfo"].get("arn", record["arn"])] += 1
            permissions = [*life.image_permissions.get(one, ())]
            permissions += [p for i in ids for p in life.snapshot_permissions.get(i, ())]
            if {"group": "all"} in permissions:
                found.add(("public-export", record["arn"]))
            if not all(life.snapshots[i]["encrypted"] for i in ids):
                found.add(("unencrypted-export", record["arn"]))
            born = image["creationDate"] if image else life.snapshots[one]["startTime"]
            age = (now - datetime.fromisoformat(born).timestamp()) / 86_400
            if age > 365:
                found.add(("expired-retention", record["arn"]))
            used = record["arn"] in launched or bool(image and "lastLaunchedTime" in image)
            used = used or any(v["snapshotId"] in ids for v in life.volumes.values())
            if age > 90 and not used:
                found.add(("unused-export", record["arn"]))
        for record, _, _ in there:
            source = record["sourceInfo"].get("arn")
            if source is not None and source not in sources and copies[source] == 1:
                found.add(("only-copy", record["arn"]))
    return found


def test_the_truth_about_copies_is_what_the_served_things_say() -> None:
    made = estate(records_per_target=150, planted=0.7)
    about = {policy for policy, _ in judged(made)}
    assert len(about) == 6
    assert {(policy, arn) for policy, _, _, arn in made.truth if policy in about} == judged(made)


def test_what_fails_repeatedly_is_found_once_for_its_source() -> None:
    made = estate()
    arns = [arn for policy, *_, arn in made.truth if policy == "repeated-failure"]
    failed = Counter(
        record["sourceInfo"].get("arn")
        for account in made.accounts
        for record in account.records[REGION]
        if record["state"] == "Failed"
    )
    assert arns
    assert all(failed[arn] >= 3 for arn in arns)


LISTS = {
    "get_operations": ("operations", "operations"),
    "get_cloud_formation_stack_records": ("cloudFormationStackRecords", "stacks"),
    "get_instance_snapshots": ("instanceSnapshots", "instance_snapshots"),
    "get_disk_snapshots": ("diskSnapshots", "disk_snapshots"),
}


def test_lightsails_other_lists_are_paged_and_whole(client_of: Callable[..., Any]) -> None:
    made = estate(page_size=7)
    life = made.accounts[0].afterlife[REGION]
    with serve_in_thread(made) as running:
        lightsail = client_of(running, "lightsail")
        for method, (key, kind) in LISTS.items():
            held = getattr(life, kind)
            assert held
            pages = [page[key] for page in lightsail.get_paginator(method).paginate()]
            assert [len(page) for page in pages[:-1]] == [7] * (len(pages) - 1)
            name = "id" if key == "operations" else "arn"
            assert [one[name] for page in pages for one in page] == [one[name] for one in held]


def test_faults_strike_one_list_and_no_other(client_of: Callable[..., Any]) -> None:
    faults = [
        Fault(FaultKind.EMPTY_PAGE, operation="GetOperations", page=1),
        Fault(FaultKind.ACCESS_DENIED, operation="GetDiskSnapshots"),
    ]
    with serve_in_thread(estate(), faults=faults) as running:
        lightsail = client_of(running, "lightsail")
        answer = lightsail.get_operations()
        assert answer["operations"] == []
        assert lightsail.get_operations(pageToken=answer["nextPageToken"])["operations"]
        with pytest.raises(lightsail.exceptions.AccessDeniedException, match="lightsail:GetDiskSnapshots"):
            lightsail.get_disk_snapshots()
        assert lightsail.get_instance_snapshots()["instanceSnapshots"]


def test_regions_are_those_of_botocore_or_those_that_the_estate_names(client_of: Callable[..., Any]) -> None:
    made = estate(records_per_target=1)
    with serve_in_thread(made) as running:
        lightsail = client_of(running, "lightsail")
        regions = lightsail.get_regions(includeAvailabilityZones=True)["regions"]
        assert {one["name"] for one in regions} == set(
            boto3.session.Session().get_available_regions("lightsail")
        )
        (virginia,) = (one for one in regions if one["name"] == "us-east-1")
        assert (virginia["displayName"], virginia["continentCode"]) == ("N. Virginia", "NA")
        assert virginia["availabilityZones"][0] == {"zoneName": "us-east-1a", "state": "available"}
        assert lightsail.get_regions()["regions"][0]["availabilityZones"] == []
    named = Estate(made.accounts, made.regions, made.base, lightsail_regions=("us-east-1", "xx-new-1"))
    with serve_in_thread(named) as running:
        regions = client_of(running, "lightsail").get_regions()["regions"]
        assert [one["name"] for one in regions] == ["us-east-1", "xx-new-1"]


def shape(value: Any) -> Any:
    """The members of a parsed answer and their types, those of lists taken together."""
    if isinstance(value, dict):
        return {name: shape(held) for name, held in value.items()}
    if isinstance(value, list):
        merged: dict[str, Any] = {}
        for one in value:
            if isinstance(one, dict):
                merged |= shape(one)
        return [merged]
    return type(value).__name__


def differing(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Members that both have, of another type or make."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        both = ours.keys() & theirs.keys()
        return [at for name in sorted(both) for at in differing(ours[name], theirs[name], f"{path}.{name}")]
    if isinstance(ours, list) and isinstance(theirs, list):
        return differing(ours[0], theirs[0], f"{path}[]")
    return [] if ours == theirs else [path]


def test_answers_are_made_as_motos_are(client_of: Callable[..., Any]) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        moto = boto3.client(
            "ec2",
            REGION,
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="AKIAEXAMPLEEXAMPLE00",
            aws_secret_access_key="secret",
        )
        snapshot = moto.create_snapshot(
            VolumeId=moto.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
        )
        theirs = {
            "images": moto.describe_images(),
            "snapshots": moto.describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]]),
            "volumes": moto.describe_volumes(),
        }
        moto.close()
    finally:
        server.stop()
    with serve_in_thread(estate()) as running:
        ec2 = client_of(running, "ec2")
        ours = {
            "images": ec2.describe_images(Owners=["self"]),
            "snapshots": ec2.describe_snapshots(OwnerIds=["self"]),
            "volumes": ec2.describe_volumes(),
        }
    for kind, mine in ours.items():
        for answer in (mine, theirs[kind]):
            del answer["ResponseMetadata"]
        a, b = shape(mine), shape(theirs[kind])
        assert differing(a, b) == []
        (key,) = a.keys() & b.keys()
        assert len(a[key][0].keys() & b[key][0].keys()) >= 7
