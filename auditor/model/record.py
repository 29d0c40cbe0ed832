"""An export snapshot record as Lightsail gave it, read field by field.

A record is kept whole, fields that nobody knows yet included; a property reads one field when it is asked for,
so that a page costs no more than its parsing. A property that a judgement may rest on raises `UnusableField`
where the field is missing or of another type: a missing field can't be taken for a pass.

Shapes: Lightsail API reference, `ExportSnapshotRecord`; botocore's service model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from auditor.errors import UnusableField

T = TypeVar("T")

KNOWN_STATES = frozenset({"Started", "Succeeded", "Failed"})
"""The states that Lightsail documents; others may come."""


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk in an exported snapshot."""

    kind: str
    """`system`, `attached` or `block`."""
    name: str | None
    """None for a system disk: AWS gives it no name."""
    path: str | None
    """Such as /dev/xvda; None for a block disk's own snapshot."""
    size_gb: float | None
    """None where the record does not say."""


class SnapshotSource:
    """What was exported: the `sourceInfo` of a record. Its fields are None where the record does not say."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @property
    def arn(self) -> str | None:
        """The ARN of the Lightsail snapshot that was exported."""
        return _text(self.raw, "arn")

    @property
    def name(self) -> str | None:
        """The name of that snapshot."""
        return _text(self.raw, "name")

    @property
    def resource_type(self) -> str | None:
        """`InstanceSnapshot`, `DiskSnapshot`, or what AWS adds."""
        return _text(self.raw, "resourceType")

    @property
    def from_resource_arn(self) -> str | None:
        """The ARN of the instance or disk that the snapshot was made from."""
        return _text(self.raw, "fromResourceArn")

    @property
    def from_resource_name(self) -> str | None:
        """The name of that instance or disk."""
        return _text(self.raw, "fromResourceName")


class ExportRecord:
    """One export snapshot record; `raw` is all of it."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @property
    def arn(self) -> str:
        """The record's own ARN.

        :raises UnusableField: where there is none.
        """
        return _needed(_text(self.raw, "arn"), "arn")

    @property
    def name(self) -> str | None:
        """The record's name."""
        return _text(self.raw, "name")

    @property
    def resource_type(self) -> str | None:
        """`ExportSnapshotRecord`, in all that AWS documents."""
        return _text(self.raw, "resourceType")

    @property
    def state(self) -> str:
        """`Started`, `Succeeded`, `Failed`, or a state that AWS adds.

        :raises UnusableField: where there is none.
        """
        return _needed(_text(self.raw, "state"), "state")

    @property
    def created_at(self) -> datetime:
        """When the export was asked for, in UTC.

        :raises UnusableField: where there is no such time.
        """
        return _needed(_instant(self.raw, "createdAt"), "createdAt")

    @property
    def source(self) -> SnapshotSource:
        """What was exported."""
        return SnapshotSource(_member(self.raw, "sourceInfo"))

    @property
    def destination_id(self) -> str | None:
        """What became of it in EC2: `ami-…` or `snap-…`."""
        return _text(_member(self.raw, "destinationInfo"), "id")

    @property
    def disks(self) -> tuple[Disk, ...]:
        """Every disk of the exported snapshot, in AWS's order; never empty.

        :raises UnusableField: where the record does not say which disks there are.
        """
        source = _member(self.raw, "sourceInfo")
        kind = _text(source, "resourceType")
        instance = _member(source, "instanceSnapshotInfo")
        block = _member(source, "diskSnapshotInfo")
        found: list[Disk] = []
        if kind == "InstanceSnapshot" or isinstance(instance, dict):
            listed = _member(instance, "fromDiskInfo")
            # An instance has a system disk at the least: an empty list says nothing.
            if not isinstance(listed, list) or not listed:
                raise UnusableField("sourceInfo.instanceSnapshotInfo.fromDiskInfo")
            found.extend(_disk(entry) for entry in listed)
        if kind == "DiskSnapshot" or isinstance(block, dict):
            found.append(Disk("block", _text(source, "fromResourceName"), None, _size(block)))
        if not found:
            raise UnusableField("sourceInfo.instanceSnapshotInfo")
        return tuple(found)

    def related(self) -> dict[str, str | None]:
        """Return what a finding is routed by: the record, its source, and what became of it."""
        source = self.source
        created = _instant(self.raw, "createdAt")
        return {
            "record_arn": _text(self.raw, "arn"),
            "state": _text(self.raw, "state"),
            "created_at": None if created is None else rfc3339(created),
            "source_snapshot_arn": source.arn,
            "source_snapshot_name": source.name,
            "from_resource_arn": source.from_resource_arn,
            "from_resource_name": source.from_resource_name,
            "destination_id": self.destination_id,
        }


def rfc3339(instant: datetime) -> str:
    """Return `instant`, an aware UTC datetime, as RFC 3339 text ending in Z."""
    return instant.isoformat().removesuffix("+00:00") + "Z"


def _disk(entry: Any) -> Disk:
    is_system = _member(entry, "isSystemDisk")
    return Disk(
        "system" if is_system is True else "attached",
        _text(entry, "name"),
        _text(entry, "path"),
        _size(entry),
    )


def _size(raw: Any) -> float | None:
    value = _member(raw, "sizeInGb")
    # bool is an int to Python, and no size.
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _instant(raw: Any, key: str) -> datetime | None:
    value = _member(raw, key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None  # an epoch that no calendar holds


def _text(raw: Any, key: str) -> str | None:
    value = _member(raw, key)
    return value if isinstance(value, str) and value else None


def _member(raw: Any, key: str) -> Any:
    return raw.get(key) if isinstance(raw, dict) else None


def _needed(value: T | None, field: str) -> T:
    if value is None:
        raise UnusableField(field)
    return value
