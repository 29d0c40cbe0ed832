"""An export snapshot record as Lightsail gave it, read field by field.

A record is kept whole, fields that nobody knows yet included; a property reads one field when it is asked for,
so that a page costs no more than its parsing. A property that a judgement may rest on raises `UnusableField`
where the field is missing or of another type: a missing field can't be taken for a pass.

Shapes: Lightsail API reference, `ExportSnapshotRecord`; botocore's service model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from auditor.errors import UnusableField
from auditor.model.facts import NO_FACTS, Facts

KNOWN_STATES = frozenset({"Started", "Succeeded", "Failed"})
"""The states that Lightsail documents; others may come."""


_LARGEST_GB = 10**12
"""A whole number, as sizes are: to compare it with another costs less than with a float."""
_REGION_OF_ARN = 3
"""arn:partition:service:region:account:resource, counted from zero (AWS General Reference)."""
_LAST_EPOCH = 253_402_300_799.0
"""9999-12-31T23:59:59Z, the last second that a calendar holds; a float, as the times of AWS are."""


class Disk(NamedTuple):
    """One disk of an exported snapshot."""

    kind: str
    """`system`, `attached` or `block`."""
    name: str | None
    """None for a system disk, to which AWS gives none."""
    path: str | None
    """Such as /dev/xvda; None for a block disk's own snapshot."""
    size_gb: float | None
    """None where the record does not say."""


class SnapshotSource:
    """What was exported: the `sourceInfo` of a record. Its fields are None where the record does not say."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else {}

    @property
    def arn(self) -> str | None:
        """The ARN of the Lightsail snapshot that was exported."""
        return _text(self._raw.get("arn"))

    @property
    def name(self) -> str | None:
        """The name of that snapshot."""
        return _text(self._raw.get("name"))

    @property
    def is_disk(self) -> bool:
        """Whether a block disk was exported, and no instance."""
        kind = self._raw.get("resourceType")
        return kind == "DiskSnapshot" or (kind is None and "diskSnapshotInfo" in self._raw)

    @property
    def resource_type(self) -> str | None:
        """`InstanceSnapshot` or `DiskSnapshot`."""
        return _text(self._raw.get("resourceType"))

    @property
    def blueprint_id(self) -> str | None:
        """What the snapshot's instance was first made from, such as `ubuntu_20_04`; None for a disk, which has none.

        :raises UnusableField: where the record does not say.
        """
        instance = self._raw.get("instanceSnapshotInfo")
        if self.resource_type == "InstanceSnapshot" or isinstance(instance, dict):
            blueprint = _text(_mapping(instance).get("fromBlueprintId"))
            if blueprint is None:
                raise UnusableField("sourceInfo.instanceSnapshotInfo.fromBlueprintId")
            return blueprint
        if self.resource_type == "DiskSnapshot" or isinstance(self._raw.get("diskSnapshotInfo"), dict):
            return None
        raise UnusableField("sourceInfo.instanceSnapshotInfo")

    @property
    def from_resource_arn(self) -> str | None:
        """The ARN of the instance or disk that the snapshot was made from."""
        return _text(self._raw.get("fromResourceArn"))

    @property
    def from_resource_name(self) -> str | None:
        """The name of that instance or disk."""
        return _text(self._raw.get("fromResourceName"))

    @property
    def disk_sizes(self) -> list[float | None]:
        """The size of every disk in GB, in AWS's order; None for one of which the record does not say. Never empty.

        :raises UnusableField: where the record does not say which disks there are.
        """
        sizes = []
        for raw in self._disks():
            size = raw.get("sizeInGb") if isinstance(raw, dict) else None
            # bool is an int to Python, and no size; nor is what is below zero, or beyond what any disk will hold.
            is_one = isinstance(size, (int, float)) and size is not True and 0 < size < _LARGEST_GB
            sizes.append(size if is_one else None)
        return sizes

    @property
    def disks(self) -> list[Disk]:
        """Every disk of the snapshot, in AWS's order; never empty.

        :raises UnusableField: where the record does not say which disks there are.
        """
        block = self._raw.get("diskSnapshotInfo")
        return [
            self._disk(raw, size) if raw is not block else Disk("block", self.from_resource_name, None, size)
            for raw, size in zip(self._disks(), self.disk_sizes, strict=True)
        ]

    @staticmethod
    def _disk(raw: Any, size: float | None) -> Disk:
        told = _mapping(raw)
        kind = "system" if told.get("isSystemDisk") is True else "attached"
        return Disk(kind, _text(told.get("name")), _text(told.get("path")), size)

    def _disks(self) -> list[Any]:
        kind = self._raw.get("resourceType")
        instance = self._raw.get("instanceSnapshotInfo")
        block = self._raw.get("diskSnapshotInfo")
        of_block = [block] if kind == "DiskSnapshot" or isinstance(block, dict) else []
        if kind == "InstanceSnapshot" or isinstance(instance, dict):
            listed = instance.get("fromDiskInfo") if isinstance(instance, dict) else None
            # An instance has a system disk at the least: an empty list says nothing.
            if not isinstance(listed, list) or not listed:
                raise UnusableField("sourceInfo.instanceSnapshotInfo.fromDiskInfo")
            return listed + of_block if of_block else listed
        if not of_block:
            raise UnusableField("sourceInfo.instanceSnapshotInfo")
        return of_block


class ExportRecord:
    """One export snapshot record; `raw` is all of it, and empty where AWS gave something that is no record."""

    __slots__ = ("facts", "raw")

    def __init__(self, raw: Any, facts: Facts = NO_FACTS) -> None:
        self.facts = facts
        """What is known of it beyond itself."""
        self.raw: dict[str, Any] = raw if isinstance(raw, dict) else {}

    @property
    def has_arn(self) -> bool:
        """Whether it has an ARN, without which nothing can be told of it."""
        arn = self.raw.get("arn")
        return isinstance(arn, str) and arn != ""

    @property
    def arn(self) -> str:
        """The record's own ARN.

        :raises UnusableField: where there is none.
        """
        value = self.raw.get("arn")
        if isinstance(value, str) and value:
            return value
        raise UnusableField("arn")

    @property
    def name(self) -> str | None:
        """The record's name."""
        return _text(self.raw.get("name"))

    @property
    def resource_type(self) -> str | None:
        """`ExportSnapshotRecord`, in all that AWS documents."""
        return _text(self.raw.get("resourceType"))

    @property
    def state(self) -> str:
        """`Started`, `Succeeded`, `Failed`, or a state that AWS adds.

        :raises UnusableField: where there is none.
        """
        value = self.raw.get("state")
        if isinstance(value, str) and value:
            return value
        raise UnusableField("state")

    @property
    def created(self) -> float:
        """When the export was asked for, in seconds since the epoch.

        :raises UnusableField: where there is no such time.
        """
        value = self.raw.get("createdAt")
        # bool is an int to Python, and no time; a number that no calendar holds is none either.
        if isinstance(value, (float, int)) and value is not True and 0.0 < value <= _LAST_EPOCH:
            return value
        raise UnusableField("createdAt")

    @property
    def created_at(self) -> datetime:
        """The same as an aware datetime, in UTC.

        :raises UnusableField: where there is no such time.
        """
        return datetime.fromtimestamp(self.created, UTC)

    @property
    def source(self) -> SnapshotSource:
        """What was exported."""
        return SnapshotSource(self.raw.get("sourceInfo"))

    @property
    def source_arn(self) -> str | None:
        """The ARN of what was exported, or None where the record does not say."""
        source = self.raw.get("sourceInfo")
        arn = source.get("arn") if isinstance(source, dict) else None
        return arn if isinstance(arn, str) and arn else None

    @property
    def destination_id(self) -> str | None:
        """What became of it in EC2: `ami-…` or `snap-…`."""
        return _text(_mapping(self.raw.get("destinationInfo")).get("id"))

    @property
    def region(self) -> str | None:
        """The Region that it says it lies in, or else that of its ARN; None where neither says."""
        location = self.raw.get("location")
        told = location.get("regionName") if isinstance(location, dict) else None
        if isinstance(told, str) and told:
            return told
        parts = (_text(self.raw.get("arn")) or "").split(":", _REGION_OF_ARN + 2)
        if len(parts) <= _REGION_OF_ARN + 1 or parts[0] != "arn":
            return None
        return parts[_REGION_OF_ARN] or None

    def related(self) -> dict[str, str | None]:
        """Return what a finding is routed by: the record, its source, and what became of it."""
        source = self.source
        return {
            "record_arn": _text(self.raw.get("arn")),
            "state": _text(self.raw.get("state")),
            "created_at": self._created_at_text(),
            "source_snapshot_arn": source.arn,
            "source_snapshot_name": source.name,
            "from_resource_arn": source.from_resource_arn,
            "from_resource_name": source.from_resource_name,
            "destination_id": self.destination_id,
        }

    def _created_at_text(self) -> str | None:
        try:
            return rfc3339(self.created_at)
        except UnusableField:
            return None


class KeptRecord:
    """A record that is kept until all of its target was seen: as JSON, which takes a third of the memory."""

    __slots__ = ("_facts", "_json")

    def __init__(self, record: ExportRecord) -> None:
        self._facts = record.facts
        self._json: bytes | dict[str, Any]
        try:
            # Copied: what orjson gives keeps the 4 KB that it was written into.
            self._json = bytes(memoryview(orjson.dumps(record.raw)))
        except orjson.JSONEncodeError:
            self._json = record.raw  # nested deeper than can be written again

    def record(self) -> ExportRecord:
        """Return the record with its facts."""
        raw = self._json if isinstance(self._json, dict) else orjson.loads(self._json)
        return ExportRecord(raw, self._facts)


def rfc3339(instant: datetime) -> str:
    """Return `instant`, an aware UTC datetime, as RFC 3339 text ending in Z."""
    return instant.isoformat().removesuffix("+00:00") + "Z"


def _mapping(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
