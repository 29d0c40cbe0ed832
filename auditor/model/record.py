"""An export snapshot record as Lightsail gave it, read field by field.

A record is kept whole, fields that nobody knows yet included; a property reads one field when it is asked for,
so that a page costs no more than its parsing. A property that a judgement may rest on raises `UnusableField`
where the field is missing or of another type: a missing field can't be taken for a pass.

Shapes: Lightsail API reference, `ExportSnapshotRecord`; botocore's service model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from auditor.errors import UnusableField

KNOWN_STATES = frozenset({"Started", "Succeeded", "Failed"})
"""The states that Lightsail documents; others may come."""


class Disk:
    """One disk of an exported snapshot."""

    __slots__ = ("_raw", "kind")

    def __init__(self, kind: str, raw: Any) -> None:
        self.kind = kind
        """`system`, `attached` or `block`."""
        self._raw = _mapping(raw)

    @property
    def name(self) -> str | None:
        """The disk's name; None for a system disk, to which AWS gives none."""
        return _text(self._raw.get("name"))

    @property
    def path(self) -> str | None:
        """Such as /dev/xvda; None for a block disk's own snapshot."""
        return _text(self._raw.get("path"))

    @property
    def size_gb(self) -> float | None:
        """The size in GB, or None where the record does not say."""
        value = self._raw.get("sizeInGb")
        # bool is an int to Python, and no size.
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class SnapshotSource:
    """What was exported: the `sourceInfo` of a record. Its fields are None where the record does not say."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = _mapping(raw)

    @property
    def arn(self) -> str | None:
        """The ARN of the Lightsail snapshot that was exported."""
        return _text(self._raw.get("arn"))

    @property
    def name(self) -> str | None:
        """The name of that snapshot."""
        return _text(self._raw.get("name"))

    @property
    def from_resource_arn(self) -> str | None:
        """The ARN of the instance or disk that the snapshot was made from."""
        return _text(self._raw.get("fromResourceArn"))

    @property
    def from_resource_name(self) -> str | None:
        """The name of that instance or disk."""
        return _text(self._raw.get("fromResourceName"))

    @property
    def disks(self) -> list[Disk]:
        """Every disk of the snapshot, in AWS's order; never empty.

        :raises UnusableField: where the record does not say which disks there are.
        """
        kind = self._raw.get("resourceType")
        instance = self._raw.get("instanceSnapshotInfo")
        block = self._raw.get("diskSnapshotInfo")
        found: list[Disk] = []
        if kind == "InstanceSnapshot" or isinstance(instance, dict):
            listed = _mapping(instance).get("fromDiskInfo")
            # An instance has a system disk at the least: an empty list says nothing.
            if not isinstance(listed, list) or not listed:
                raise UnusableField("sourceInfo.instanceSnapshotInfo.fromDiskInfo")
            for each in listed:
                is_system = isinstance(each, dict) and each.get("isSystemDisk") is True
                found.append(Disk("system" if is_system else "attached", each))
        if kind == "DiskSnapshot" or isinstance(block, dict):
            found.append(Disk("block", block))
        if not found:
            raise UnusableField("sourceInfo.instanceSnapshotInfo")
        return found


class ExportRecord:
    """One export snapshot record; `raw` is all of it, and empty where AWS gave something that is no record."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = _mapping(raw)

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
    def created_at(self) -> datetime:
        """When the export was asked for, in UTC.

        :raises UnusableField: where there is no such time.
        """
        value = self.raw.get("createdAt")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return datetime.fromtimestamp(value, UTC)
            except (OverflowError, ValueError, OSError):
                pass  # an epoch that no calendar holds
        raise UnusableField("createdAt")

    @property
    def source(self) -> SnapshotSource:
        """What was exported."""
        return SnapshotSource(self.raw.get("sourceInfo"))

    @property
    def destination_id(self) -> str | None:
        """What became of it in EC2: `ami-…` or `snap-…`."""
        return _text(_mapping(self.raw.get("destinationInfo")).get("id"))

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


def rfc3339(instant: datetime) -> str:
    """Return `instant`, an aware UTC datetime, as RFC 3339 text ending in Z."""
    return instant.isoformat().removesuffix("+00:00") + "Z"


def _mapping(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
