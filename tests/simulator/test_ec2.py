"""EC2 as botocore reads it: what is listed, to whom, in which pages, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from auditor.simulator.estate import generate
from auditor.simulator.faults import Fault, FaultKind
from auditor.simulator.server import Running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.simulator.afterlife import Afterlife

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ESTATE = generate(
    23,
    accounts=2,
    regions=["us-east-1", "ap-southeast-3"],
    now=NOW,
    records_per_target=90,
    planted=1.0,
    page_size=20,
    afterlife=True,
)
FIRST, SECOND = ESTATE.accounts
LIFE: Afterlife = FIRST.afterlife["us-east-1"]
NOWHERE = {"image": "ami-00000000000000000", "snapshot": "snap-00000000000000000"}

pytestmark = pytest.mark.usefixtures("_environment")


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve_in_thread(ESTATE) as server:
        yield server


@pytest.fixture
def ec2(running: Running, client_of: Callable[..., Any]) -> Any:
    return client_of(running, "ec2")


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert response["Error"]["Message"]
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def only(name: str, *values: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)}]


def image_ids(answer: Any) -> set[str]:
    return {image["ImageId"] for image in answer["Images"]}


def test_an_image_is_read_as_it_was_made(ec2: Any) -> None:
    image_id, made = next((one, image) for one, image in LIFE.images.items() if "lastLaunchedTime" in image)
    (image,) = ec2.describe_images(Filters=only("image-id", image_id))["Images"]
    assert image["ImageId"] == image_id
    assert (image["OwnerId"], image["State"], image["Public"]) == (FIRST.id, "available", made["isPublic"])
    assert (image["CreationDate"], image["LastLaunchedTime"]) == (
        made["creationDate"],
        made["lastLaunchedTime"],
    )
    snapshot_ids = [mapping["Ebs"]["SnapshotId"] for mapping in image["BlockDeviceMappings"]]
    assert snapshot_ids
    assert set(snapshot_ids) <= set(LIFE.snapshots)


def test_snapshots_and_volumes_are_read_as_they_were_made(ec2: Any) -> None:
    ids = sorted({volume["snapshotId"] for volume in LIFE.volumes.values()})[:50]
    snapshots = ec2.describe_snapshots(Filters=only("snapshot-id", *ids))["Snapshots"]
    assert {snapshot["SnapshotId"] for snapshot in snapshots} == set(ids)
    for snapshot in snapshots:
        made = LIFE.snapshots[snapshot["SnapshotId"]]
        assert snapshot["Encrypted"] is made["encrypted"]
        assert (snapshot["VolumeSize"], snapshot["StorageTier"]) == (made["volumeSize"], "standard")
        assert snapshot["FullSnapshotSizeInBytes"] == made["fullSnapshotSizeInBytes"]
        assert snapshot["StartTime"].tzinfo is not None
        assert (snapshot["State"], snapshot["OwnerId"]) == ("completed", FIRST.id)
    volumes = ec2.describe_volumes(Filters=only("snapshot-id", *ids))["Volumes"]
    assert {volume["SnapshotId"] for volume in volumes} == set(ids)


def test_denied_operations_are_counted_and_cost_no_other(client_of: Callable[..., Any]) -> None:
    faults = [Fault(FaultKind.ACCESS_DENIED, FIRST.id, operation="DescribeImages")]
    with serve_in_thread(ESTATE, faults=faults) as running:
        ec2 = client_of(running, "ec2")
        assert refusal(ec2.describe_images) == ("UnauthorizedOperation", 403)
        assert refusal(ec2.describe_images) == ("UnauthorizedOperation", 403)
        assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        assert client_of(running, "ec2", 1).describe_images(Owners=["self"])["Images"]
        assert running.requests == {"AssumeRole": 2, "DescribeImages": 3, "DescribeSnapshots": 1}
