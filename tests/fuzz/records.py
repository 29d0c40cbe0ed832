"""Answers of AWS as they are meant to be, to be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from auditor.model import (
    ABSENT,
    NOT_ASKED,
    Facts,
    Image,
    Known,
    Operation,
    Reason,
    Snapshot,
    SourceSnapshot,
    StackRecord,
    Unknown,
    Volume,
)
from tests.fuzz.mutating import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hypothesis.strategies import SearchStrategy

ACCOUNT = "111122223333"


def _arn(kind: str, number: int) -> str:
    return f"arn:aws:lightsail:us-east-1:{ACCOUNT}:{kind}/{number}"


def record(number: int, state: str = "Succeeded") -> dict[str, Any]:
    """Return a record; even ones are of instances, odd ones of disks."""
    source: dict[str, Any] = {
        "createdAt": 1_690_000_000.25,
        "name": f"web-{number}",
        "arn": _arn("InstanceSnapshot", number // 4),
        "fromResourceName": "web",
        "fromResourceArn": _arn("Instance", 1),
    }
    if number % 2:
        source |= {"resourceType": "DiskSnapshot", "diskSnapshotInfo": {"sizeInGb": 700}}
        destination = {"id": f"snap-{number:017x}", "service": "Aws::EC2::Snapshot"}
    else:
        disks = [
            {"path": "/dev/xvda", "sizeInGb": 1_280, "isSystemDisk": True},
            {"name": "data", "path": "/dev/xvdf", "sizeInGb": 64, "isSystemDisk": False},
        ]
        made_of = {"fromBundleId": "nano_3_0", "fromBlueprintId": "ubuntu_18_04", "fromDiskInfo": disks}
        source |= {"resourceType": "InstanceSnapshot", "instanceSnapshotInfo": made_of}
        destination = {"id": f"ami-{number:017x}", "service": "Aws::EC2::Image"}
    return {
        "name": f"ExportSnapshotRecord-{number}",
        "arn": _arn("ExportSnapshotRecord", number),
        "createdAt": 1_700_000_000.5,
        "location": {"availabilityZone": "all", "regionName": "us-east-1"},
        "resourceType": "ExportSnapshotRecord",
        "state": state,
        "sourceInfo": source,
        "destinationInfo": destination,
    }


RECORDS = [
    record(number, state) for number, state in enumerate(["Succeeded", "Failed", "Started", "Failed"] * 2)
]

_TEXTS = [None, "", "web", "available", "archive", HOSTILE, "\ud800", "a" * 3_000]
_NUMBERS = [None, 0.0, 1.0, 640.0, 9.2e18, 0.1, 1_700_000_000.5, 253_402_300_800.0]
_BOOLEANS = [True, False, None]
_UNKNOWN = [ABSENT, NOT_ASKED, Unknown("ec2:DescribeImages", Reason.ACCESS_DENIED)]
_PARTIES = ["all", "unknown", ACCOUNT, "999988887777", HOSTILE, "arn:aws:organizations::1:ou/o-1/ou-1"]


def facts(chance: Random) -> Facts:
    """Return what may be known of a record beyond itself."""

    def text() -> str | None:
        return chance.choice(_TEXTS)

    def named() -> str:
        return text() or "x"

    def number() -> float | None:
        return chance.choice(_NUMBERS)

    def boolean() -> bool | None:
        return chance.choice(_BOOLEANS)

    def maybe(make: Callable[[], Any]) -> Any:
        return Known(make()) if chance.random() < _OFTEN else chance.choice(_UNKNOWN)

    def several(make: Callable[[], Any]) -> Any:
        return maybe(lambda: tuple(make() for _ in range(chance.randint(1, 3))))

    def snapshot_id() -> str:
        return chance.choice(["snap-1", "snap-2"])

    def image() -> Image:
        parts = tuple(snapshot_id() for _ in range(chance.randint(0, 2)))
        return Image("ami-1", text(), boolean(), number(), number(), parts, text())

    def snapshot() -> Snapshot:
        return Snapshot(snapshot_id(), boolean(), boolean(), number(), number(), number(), text(), text())

    return Facts(
        maybe(image),
        several(snapshot),
        several(lambda: Volume(named(), snapshot_id())),
        maybe(lambda: frozenset(chance.sample(_PARTIES, chance.randint(1, 3)))),
        maybe(lambda: Operation("op-1", text(), text(), text())),
        several(lambda: StackRecord(text(), text(), text())),
        maybe(lambda: SourceSnapshot(named(), text(), text())),
    )


_OFTEN = 0.7
FACTS: SearchStrategy[Facts] = st.builds(facts, st.randoms(use_true_random=True))
