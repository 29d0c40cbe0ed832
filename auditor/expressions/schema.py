"""What an expression can name: each field, and what it holds.

A kind is `string`, `int`, `bool`, `time`, the name of another message, or one of these in brackets for a list.
Shapes: Lightsail API reference, `ExportSnapshotRecord`, and the classes of auditor/model/facts.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Mapping[str, Mapping[str, str]] = {
    "Record": {
        "name": "string",
        "arn": "string",
        "createdAt": "time",
        "location": "Location",
        "resourceType": "string",
        "state": "string",
        "sourceInfo": "SourceInfo",
        "destinationInfo": "DestinationInfo",
    },
    "Location": {"availabilityZone": "string", "regionName": "string"},
    "SourceInfo": {
        "resourceType": "string",
        "createdAt": "time",
        "name": "string",
        "arn": "string",
        "fromResourceName": "string",
        "fromResourceArn": "string",
        "instanceSnapshotInfo": "InstanceSnapshotInfo",
        "diskSnapshotInfo": "DiskSnapshotInfo",
    },
    "InstanceSnapshotInfo": {
        "fromBundleId": "string",
        "fromBlueprintId": "string",
        "fromDiskInfo": "[DiskInfo]",
    },
    "DiskInfo": {"name": "string", "path": "string", "sizeInGb": "int", "isSystemDisk": "bool"},
    "DiskSnapshotInfo": {"sizeInGb": "int"},
    "DestinationInfo": {"id": "string", "service": "string"},
    "Facts": {
        "image": "Image",
        "snapshots": "[Snapshot]",
        "volumes": "[Volume]",
        "shared_with": "[string]",
        "operation": "Operation",
        "stacks": "[StackRecord]",
        "source": "SourceSnapshot",
    },
    "Image": {
        "id": "string",
        "name": "string",
        "public": "bool",
        "created": "time",
        "last_launched": "time",
        "snapshot_ids": "[string]",
        "state": "string",
    },
    "Snapshot": {
        "id": "string",
        "encrypted": "bool",
        "public": "bool",
        "started": "time",
        "volume_gb": "int",
        "full_bytes": "int",
        "tier": "string",
        "state": "string",
    },
    "Volume": {"id": "string", "snapshot_id": "string"},
    "Operation": {"id": "string", "status": "string", "error_code": "string", "error_details": "string"},
    "StackRecord": {"arn": "string", "name": "string", "state": "string"},
    "SourceSnapshot": {"arn": "string", "name": "string", "state": "string"},
    "Account": {"id": "string", "name": "string"},
}

ROOTS: Mapping[str, str] = {
    "record": "Record",
    "facts": "Facts",
    "account": "Account",
    "region": "string",
    "now": "time",
}
"""What an expression begins with."""

FACT_FIELDS: Mapping[str, str] = SCHEMA["Facts"]


def element(kind: str) -> str | None:
    """Return the kind of a list's elements; None where `kind` is no list."""
    return kind[1:-1] if kind.startswith("[") else None
