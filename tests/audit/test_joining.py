from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.audit.joining import Joiner
from auditor.audit.reading import Reading
from auditor.aws.sources import IDS_AT_ONCE
from auditor.errors import CallFailed
from auditor.model import (
    ABSENT,
    DISK_SNAPSHOTS,
    EXPORT_RECORDS,
    IMAGE_PERMISSIONS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    NOT_ASKED,
    OPERATIONS,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
    Account,
    ExportRecord,
    Failure,
    Known,
    Operation,
    Reason,
    SourceSnapshot,
    Target,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

ACCOUNT = Account("111122223333", None, "arn:aws:iam::111122223333:role/R", None, "s", 3_600, ("us-east-1",))
ALL = (IMAGES, SNAPSHOTS, VOLUMES, OPERATIONS, STACK_RECORDS, INSTANCE_SNAPSHOTS, DISK_SNAPSHOTS)
DENIED = CallFailed(Failure(Reason.ACCESS_DENIED, "UnauthorizedOperation", "no"))
DAY = 86_400.0


@dataclass
class Reader:
    """In the place of AWS: answers a source, page by page, and keeps what it was asked."""

    answer: Callable[[dict[str, Any]], list[list[Any]]]
    fails_after: int | None = None
    """Pages that are given before each call fails."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def pages(self, **arguments: Any) -> AsyncGenerator[list[Any], None]:
        self.asked.append(arguments)
        pages = self.answer(arguments)
        for page in pages if self.fails_after is None else pages[: self.fails_after]:
            yield page
        if self.fails_after is not None:
            raise DENIED


@dataclass
class World:
    """What stands in AWS."""

    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    public: frozenset[str] = frozenset()
    lists: dict[str, list[list[Any]]] = field(default_factory=dict)
    permissions: dict[str, list[Any]] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)

    def joiner(
        self,
        *sources: str,
        failing: dict[str, int] | None = None,
        asks: Callable[[str, ExportRecord], bool] = lambda _source, _record: True,
    ) -> Joiner:
        answers: dict[str, Callable[[dict[str, Any]], list[list[Any]]]] = {
            IMAGES: lambda asked: [[self.images[own] for own in _ids(asked) if own in self.images]],
            SNAPSHOTS: self._snapshots,
            VOLUMES: lambda asked: [[each for each in self.volumes if each["snapshotId"] in _ids(asked)]],
            IMAGE_PERMISSIONS: lambda asked: [self.permissions.get(asked["ImageId"], [])],
            SNAPSHOT_PERMISSIONS: lambda asked: [self.permissions.get(asked["SnapshotId"], [])],
        }
        for source in sources or ALL:
            answer = answers.get(source, lambda _, source=source: self.lists.get(source, [[]]))
            reader = Reader(answer, (failing or {}).get(source))
            self.readers[source] = reader
            self.readings[source] = Reading(
                Target(source, ACCOUNT, "us-east-1"),
                lambda _target, _outcome, reader=reader: reader,  # type: ignore[misc]
            )
        return Joiner(self.readings, asks)

    def _snapshots(self, asked: dict[str, Any]) -> list[list[Any]]:
        if "RestorableByUserIds" in asked:
            return [[self.snapshots[own] for own in self.public]]
        return [[self.snapshots[own] for own in _ids(asked) if own in self.snapshots]]

    def add_image(self, number: int) -> ExportRecord:
        image, snapshot = f"ami-{number:04}", f"snap-i{number:04}"
        self.images[image] = {
            "imageId": image,
            "isPublic": "false",
            "blockDeviceMapping": [{"ebs": {"snapshotId": snapshot}}],
        }
        self.snapshots[snapshot] = {"snapshotId": snapshot, "encrypted": "true"}
        return record(number, image)

    def add_disk(self, number: int) -> ExportRecord:
        snapshot = f"snap-d{number:04}"
        self.snapshots[snapshot] = {"snapshotId": snapshot, "encrypted": "false", "volumeSize": "8"}
        return record(number, snapshot)


def _ids(asked: dict[str, Any]) -> list[str]:
    (condition,) = asked["Filters"]
    values: list[str] = condition["Values"]
    assert 0 < len(values) <= 200
    return values


def record(number: int, destination: str | None = None, **fields: Any) -> ExportRecord:
    kind = "DiskSnapshot" if destination and destination.startswith("snap-") else "InstanceSnapshot"
    raw = {
        "arn": f"arn:export:{number}",
        "name": f"ExportSnapshotRecord-{number}",
        "state": "Succeeded",
        "createdAt": DAY,
        "sourceInfo": {"arn": f"arn:snapshot:{number}", "name": f"source-{number}", "resourceType": kind},
        "destinationInfo": {"id": destination},
    }
    return ExportRecord(raw | fields)


async def joined(joiner: Joiner, *records: ExportRecord) -> list[ExportRecord]:
    return await joiner.join(records) + await joiner.rest()


async def test_an_image_and_its_snapshots_are_known() -> None:
    world = World()
    one = world.add_image(1)
    await joined(world.joiner(), one)
    image, snapshots = one.facts.image, one.facts.snapshots
    assert isinstance(image, Known)
    assert (image.value.id, image.value.public, image.value.snapshot_ids) == (
        "ami-0001",
        False,
        ("snap-i0001",),
    )
    assert isinstance(snapshots, Known)
    assert [(each.id, each.encrypted, each.public) for each in snapshots.value] == [
        ("snap-i0001", True, False)
    ]
    assert one.facts.copy_is_there


async def test_what_is_gone_is_absent_with_all_that_it_was_made_of() -> None:
    gone = record(1, "ami-gone")
    await joined(World().joiner(), gone)
    assert (gone.facts.image, gone.facts.snapshots, gone.facts.volumes) == (ABSENT, ABSENT, ABSENT)
    assert not gone.facts.copy_is_there


async def test_the_snapshot_of_a_disk_is_known_and_its_volumes_with_it() -> None:
    world = World()
    one, other = world.add_disk(1), world.add_disk(2)
    world.volumes = [{"volumeId": "vol-1", "snapshotId": "snap-d0001"}]
    world.public = frozenset({"snap-d0002"})
    await joined(world.joiner(), one, other)
    assert one.facts.image == ABSENT
    assert isinstance(one.facts.volumes, Known)
    assert [each.id for each in one.facts.volumes.value] == ["vol-1"]
    assert other.facts.volumes == ABSENT
    assert isinstance(other.facts.snapshots, Known)
    assert [(each.public, each.volume_gb) for each in other.facts.snapshots.value] == [(True, 8.0)]


async def test_volumes_and_stacks_are_asked_for_those_records_alone_of_which_a_policy_asks_them() -> None:
    world = World()
    one, other = world.add_image(1), world.add_image(2)
    seen: list[str | None] = []

    def asks(source: str, each: ExportRecord) -> bool:
        assert isinstance(each.facts.image, Known)
        assert isinstance(each.facts.snapshots, Known)
        seen.append(source)
        return each is other

    await joined(world.joiner(asks=asks), one, other)
    assert seen == [VOLUMES, VOLUMES, STACK_RECORDS, STACK_RECORDS]
    assert [_ids(asked) for asked in world.readers[VOLUMES].asked] == [["snap-i0002"]]
    assert (one.facts.volumes, other.facts.volumes, other.facts.stacks) == (NOT_ASKED, ABSENT, ABSENT)


async def test_what_no_policy_asks_of_any_record_costs_no_request() -> None:
    world = World()
    one = world.add_image(1)
    await joined(world.joiner(asks=lambda _source, _record: False), one)
    assert not world.readers[VOLUMES].asked
    assert not world.readers[STACK_RECORDS].asked
    assert isinstance(one.facts.image, Known)


@pytest.mark.parametrize(("images", "disks"), [(1, 0), (99, 3), (100, 0), (101, 100), (250, 330), (1000, 1)])
async def test_a_kind_of_id_is_asked_for_at_most_once_for_each_hundred(images: int, disks: int) -> None:
    world = World()
    records = [world.add_image(number) for number in range(images)]
    records += [world.add_disk(number) for number in range(disks)]
    joiner = world.joiner()
    done: list[ExportRecord] = []
    for start in range(0, len(records), 50):
        done += await joiner.join(records[start : start + 50])
    done += await joiner.rest()
    assert sorted(id(each) for each in done) == sorted(id(each) for each in records)
    assert all(isinstance(each.facts.snapshots, Known) for each in done)
    ids = {IMAGES: images, SNAPSHOTS: images + disks, VOLUMES: images + disks}
    for source, count in ids.items():
        requests = [asked for asked in world.readers[source].asked if "Filters" in asked]
        assert len(requests) <= -(-count // 100), source
        assert sum(len(_ids(asked)) for asked in requests) == count


async def test_images_are_asked_for_as_many_at_once_as_a_filter_takes_whatever_the_pages() -> None:
    world = World()
    records = [world.add_image(number) for number in range(2 * IDS_AT_ONCE + 50)]
    joiner = world.joiner()
    for start in range(0, len(records), 45):
        await joiner.join(records[start : start + 45])
    await joiner.rest()
    assert [len(_ids(asked)) for asked in world.readers[IMAGES].asked] == [IDS_AT_ONCE, IDS_AT_ONCE, 50]


@pytest.mark.parametrize("source", [IMAGES, SNAPSHOTS, VOLUMES])
async def test_a_denied_lookup_leaves_unknown_what_rests_on_it_and_nothing_else(source: str) -> None:
    world = World()
    one = world.add_image(1)
    await joined(world.joiner(failing={source: 0}), one)
    unknown = Unknown(source, Reason.ACCESS_DENIED)
    facts = one.facts
    assert (facts.image == unknown) == (source == IMAGES)
    assert (facts.snapshots == unknown) == (source in (IMAGES, SNAPSHOTS))
    assert (facts.volumes == unknown) == (source in (IMAGES, VOLUMES))
    assert facts.source == facts.stacks == ABSENT
    assert len(world.readers[source].asked) == 1, "what was denied once is not asked again"


async def test_what_is_not_asked_for_is_unknown_and_costs_no_call() -> None:
    world = World()
    one = world.add_image(1)
    await joined(world.joiner(STACK_RECORDS), one)
    assert one.facts.image == one.facts.snapshots == one.facts.source == one.facts.operation == NOT_ASKED
    assert one.facts.stacks == ABSENT


async def test_ec2_answering_with_other_ids_and_with_fewer_misleads_nobody() -> None:
    world = World()
    one, two = world.add_image(1), world.add_image(2)
    joiner = world.joiner()
    stranger = {"imageId": "ami-stranger", "isPublic": "true"}
    world.readers[IMAGES].answer = lambda _: [
        [stranger, world.images["ami-0001"], {"isPublic": "true"}, "odd"]
    ]
    await joined(joiner, one, two)
    assert isinstance(one.facts.image, Known)
    assert one.facts.image.value.id == "ami-0001"
    assert two.facts.image == ABSENT


async def test_a_list_is_read_once_and_only_where_a_record_comes_that_it_tells_of() -> None:
    world = World()
    joiner = world.joiner()
    assert await joiner.rest() == []
    assert not any(reader.asked for reader in world.readers.values())
    await joined(joiner, world.add_image(1), world.add_image(2))
    await joined(joiner, world.add_image(3))
    assert len(world.readers[INSTANCE_SNAPSHOTS].asked) == len(world.readers[STACK_RECORDS].asked) == 1
    assert world.readers[DISK_SNAPSHOTS].asked == world.readers[OPERATIONS].asked == []


async def test_the_lightsail_source_is_known_by_its_arn() -> None:
    world = World()
    world.lists[INSTANCE_SNAPSHOTS] = [[], [{"arn": "arn:snapshot:1", "name": "n", "state": "available"}]]
    here, gone = world.add_image(1), world.add_image(2)
    await joined(world.joiner(), here, gone)
    assert here.facts.source == Known(SourceSnapshot("arn:snapshot:1", "n", "available"))
    assert gone.facts.source == ABSENT


async def test_a_list_that_was_read_in_part_proves_no_absence() -> None:
    world = World()
    world.lists[INSTANCE_SNAPSHOTS] = [[{"arn": "arn:snapshot:1"}], [{"arn": "arn:snapshot:2"}]]
    here, maybe = world.add_image(1), world.add_image(2)
    await joined(world.joiner(failing={INSTANCE_SNAPSHOTS: 1}), here, maybe)
    assert isinstance(here.facts.source, Known)
    assert maybe.facts.source == Unknown(INSTANCE_SNAPSHOTS, Reason.ACCESS_DENIED)


async def test_a_failure_is_explained_by_the_operation_of_its_time() -> None:
    world = World()
    operation = {"operationType": "ExportSnapshot", "resourceName": "source-1", "status": "Failed"}
    world.lists[OPERATIONS] = [
        [
            operation | {"id": "long-ago", "createdAt": 0.0},
            operation | {"id": "it", "createdAt": DAY - 1, "errorCode": "E", "errorDetails": "because"},
            operation | {"id": "other", "createdAt": DAY + 200},
            operation | {"id": "no-export", "createdAt": DAY, "operationType": "CreateDisk"},
            {"operationType": "ExportSnapshot"},
            "odd",
        ]
    ]
    failed = record(1, state="Failed")
    forgotten = record(2, state="Failed")
    await joined(world.joiner(), failed, forgotten)
    assert failed.facts.operation == Known(Operation("it", "Failed", "E", "because"))
    assert forgotten.facts.operation == ABSENT


async def test_a_stack_is_linked_by_the_records_arn_or_name() -> None:
    world = World()
    world.lists[STACK_RECORDS] = [
        [
            {
                "arn": "arn:stack:1",
                "name": "s1",
                "state": "Succeeded",
                "sourceInfo": [{"arn": "arn:export:1"}],
            },
            {"arn": "arn:stack:2", "sourceInfo": [{"name": "ExportSnapshotRecord-2"}, "odd"]},
            {"arn": "arn:stack:3", "sourceInfo": "odd"},
            None,
        ]
    ]
    records = [world.add_image(number) for number in (1, 2, 3)]
    await joined(world.joiner(), *records)
    stacks = [each.facts.stacks for each in records]
    assert [[one.arn for one in each.value] for each in stacks if isinstance(each, Known)] == [
        ["arn:stack:1"],
        ["arn:stack:2"],
    ]
    assert stacks[2] == ABSENT


async def test_whom_a_copy_is_shared_with_is_asked_of_each_only_where_that_is_wanted() -> None:
    world = World()
    one, two = world.add_image(1), world.add_image(2)
    world.permissions = {"ami-0001": [{"userId": "999988887777"}], "snap-i0001": [{"group": "all"}]}
    await joined(world.joiner(*ALL, IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS), one, two)
    assert one.facts.shared_with == Known(frozenset({"999988887777", "all"}))
    assert two.facts.shared_with == ABSENT
    plain = world.add_image(3)
    await joined(World(world.images, world.snapshots).joiner(), plain)
    assert plain.facts.shared_with == NOT_ASKED


@pytest.mark.parametrize("grant", [{"galaxyArn": "arn:of-it"}, {}, ""])
async def test_what_is_shared_with_a_kind_that_nobody_knows_yet_is_not_private(grant: Any) -> None:
    world = World()
    one = world.add_image(1)
    world.permissions = {"ami-0001": [{"userId": "999988887777"}, grant]}
    await joined(world.joiner(*ALL, IMAGE_PERMISSIONS, SNAPSHOT_PERMISSIONS), one)
    assert one.facts.shared_with == Known(frozenset({"999988887777", "unknown"}))


async def test_records_that_still_wait_as_the_run_is_cut_off_are_given_back_with_nothing_known() -> None:
    world = World()
    joiner = world.joiner()
    waiting = world.add_image(1)
    assert await joiner.join([waiting]) == []
    assert joiner.unjoined(Reason.DEADLINE) == [waiting]
    assert isinstance(waiting.facts.image, Unknown)
    assert isinstance(waiting.facts.source, Unknown)
    assert await joiner.rest() == []


@pytest.mark.parametrize("source", [IMAGES, SNAPSHOTS, VOLUMES, INSTANCE_SNAPSHOTS])
async def test_a_run_that_is_cut_off_in_a_lookup_loses_no_record_that_was_read(source: str) -> None:
    world = World()
    records = [world.add_image(number) for number in range(IDS_AT_ONCE)] + [record(1000)]
    joiner = world.joiner()
    asked = anyio.Event()

    async def never(**_: Any) -> AsyncGenerator[list[Any], None]:
        asked.set()
        await anyio.sleep_forever()
        yield []

    world.readers[source].pages = never  # type: ignore[method-assign]  # stands in for AWS
    async with anyio.create_task_group() as group:
        group.start_soon(joiner.join, records)
        await asked.wait()
        group.cancel_scope.cancel()
    assert joiner.unjoined(Reason.DEADLINE) == records
    assert all(each.facts.image != NOT_ASKED for each in records)
    # What was known by then stays known: a copy that is public is found, though its volumes are not.
    assert isinstance(records[0].facts.image, Known if source == VOLUMES else Unknown)
    assert records[0].facts.volumes == Unknown(EXPORT_RECORDS, Reason.DEADLINE)
