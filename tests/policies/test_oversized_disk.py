from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from auditor.model import Severity
from auditor.policies import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.policies import Found

    Judge = Callable[..., tuple[list[Found], dict[str, int]]]

ID = "oversized-disk"


def disk(size: object, *, system: bool = False, path: str = "/dev/xvdf") -> dict[str, Any]:
    name = None if system else "data"
    return {"name": name, "path": path, "sizeInGb": size, "isSystemDisk": system}


def instance(*disks: object, **fields: object) -> dict[str, Any]:
    info = {"instanceSnapshotInfo": {"fromBundleId": "nano_3_0", "fromDiskInfo": list(disks)}}
    return {"arn": "arn:record", "sourceInfo": {"resourceType": "InstanceSnapshot"} | info} | fields


def block(size: object, **fields: object) -> dict[str, Any]:
    source = {
        "resourceType": "DiskSnapshot",
        "fromResourceName": "db",
        "diskSnapshotInfo": {"sizeInGb": size},
    }
    return {"arn": "arn:record", "sourceInfo": source} | fields


@pytest.mark.parametrize(
    "of_size",
    [
        block,
        lambda size: instance(disk(size, system=True)),
        lambda size: instance(disk(20, system=True), disk(size)),
    ],
    ids=["block", "system", "attached"],
)
def test_a_disk_of_exactly_max_gb_is_allowed(of_size: Callable[[object], object], judge: Judge) -> None:
    assert judge(ID, of_size(640)) == ([], {})
    assert len(judge(ID, of_size(641))[0]) == 1
    assert len(judge(ID, of_size(640.5))[0]) == 1
    assert judge(ID, of_size(100), max_gb=100) == ([], {})
    assert len(judge(ID, of_size(101), max_gb=100)[0]) == 1


@pytest.mark.parametrize("state", ["Started", "Succeeded", "Failed", "Archived", None, 7], ids=repr)
def test_the_state_does_not_matter(state: object, judge: Judge) -> None:
    assert len(judge(ID, block(641, state=state))[0]) == 1
    assert judge(ID, block(640, state=state)) == ([], {})


def test_one_finding_lists_each_oversized_disk_and_no_other(judge: Judge) -> None:
    record = instance(
        disk(1280, system=True, path="/dev/xvda"),
        disk(640, path="/dev/xvdf"),
        disk(700, path="/dev/xvdg"),
        name="export-1",
    )
    ((found,), unjudged) = judge(ID, record)
    assert unjudged == {}
    assert found.breach.evidence == {
        "max_gb": 640,
        "disks": [
            {"kind": "system", "name": None, "path": "/dev/xvda", "size_gb": 1280},
            {"kind": "attached", "name": "data", "path": "/dev/xvdg", "size_gb": 700},
        ],
        "disks_of_unknown_size": 0,
    }
    assert found.breach.message == "export-1 holds disks above 640 GB: 1280, 700 GB."


def test_a_block_disk_is_listed_with_its_size_and_has_no_path(judge: Judge) -> None:
    ((found,), _) = judge(ID, block(16_000))
    listed: Any = found.breach.evidence["disks"]
    assert [(disk["kind"], disk["path"], disk["size_gb"]) for disk in listed] == [("block", None, 16_000)]


@pytest.mark.parametrize("size", [None, "9999", "", True, [], {}], ids=repr)
def test_an_unknown_size_beside_a_large_disk_is_counted_in_the_finding(size: object, judge: Judge) -> None:
    ((found,), unjudged) = judge(ID, instance(disk(641, system=True), disk(size)))
    assert unjudged == {}
    assert found.breach.evidence["disks_of_unknown_size"] == 1
    assert found.breach.evidence["disks"] == [
        {"kind": "system", "name": None, "path": "/dev/xvdf", "size_gb": 641}
    ]


@pytest.mark.parametrize("size", [None, "9999", "20", "", True, False, [], {}, [20]], ids=repr)
def test_an_unknown_size_beside_small_disks_is_no_pass(size: object, judge: Judge) -> None:
    assert judge(ID, instance(disk(20, system=True), disk(size))) == ([], {ID: 1})
    assert judge(ID, block(size)) == ([], {ID: 1})


@pytest.mark.parametrize("entry", [None, "disk", 7, [], {}], ids=repr)
def test_an_entry_that_is_no_disk_is_no_pass(entry: object, judge: Judge) -> None:
    assert judge(ID, instance(disk(20, system=True), entry)) == ([], {ID: 1})


@pytest.mark.parametrize("listed", [None, [], {}, "none", 0], ids=repr)
def test_an_instance_without_its_disks_is_no_pass(listed: object, judge: Judge) -> None:
    source = {"resourceType": "InstanceSnapshot", "instanceSnapshotInfo": {"fromDiskInfo": listed}}
    assert judge(ID, {"arn": "arn:record", "sourceInfo": source}) == ([], {ID: 1})


@pytest.mark.parametrize(
    "source",
    [
        None,
        {},
        [],
        "InstanceSnapshot",
        {"resourceType": "InstanceSnapshot"},
        {"resourceType": "DiskSnapshot"},
        {"resourceType": "DiskSnapshot", "diskSnapshotInfo": []},
        {"resourceType": "BucketSnapshot", "bucketSnapshotInfo": {"sizeInGb": 20}},
        # The kind says that there is an instance: the block disk's size is not all there is.
        {"resourceType": "InstanceSnapshot", "diskSnapshotInfo": {"sizeInGb": 20}},
        {"resourceType": "DiskSnapshot", "instanceSnapshotInfo": {"fromDiskInfo": [disk(20)]}},
        {"instanceSnapshotInfo": {"fromDiskInfo": []}, "diskSnapshotInfo": {"sizeInGb": 20}},
    ],
    ids=repr,
)
def test_a_source_that_does_not_say_which_disks_is_no_pass(source: object, judge: Judge) -> None:
    assert judge(ID, {"arn": "arn:record", "sourceInfo": source}) == ([], {ID: 1})


def test_a_kind_that_is_missing_does_not_hide_the_disks(judge: Judge) -> None:
    kindless = instance(disk(641, system=True))
    del kindless["sourceInfo"]["resourceType"]
    assert len(judge(ID, kindless)[0]) == 1


@pytest.mark.parametrize(
    "refused",
    [{"max_gb": 0}, {"max_gb": -1}, {"max_gb": "640"}, {"max_gb": True}, {"max_gb": None}],
    ids=repr,
)
def test_settings_that_can_not_be_meant_are_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        catalogue()[ID].settings_type(**refused)


def test_it_is_of_medium_severity() -> None:
    assert catalogue()[ID].settings_type().severity is Severity.MEDIUM
