"""The AWS operations that are read, each declared once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.model import (
    DISK_SNAPSHOTS,
    EXPORT_RECORDS,
    IMAGE_PERMISSIONS,
    IMAGES,
    INSTANCE_SNAPSHOTS,
    OPERATIONS,
    SNAPSHOT_PERMISSIONS,
    SNAPSHOTS,
    STACK_RECORDS,
    VOLUMES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

IDS_AT_ONCE = 200
"""Values that a filter of EC2 takes (EC2 user guide, "Filtering")."""


@dataclass(frozen=True, slots=True)
class Source:
    """One operation that lists something, in pages where there is much of it."""

    id: str
    """As IAM names it: what a role must be allowed."""
    service: str
    """The name of botocore's client."""
    method: str
    """The client's method for the operation."""
    records_key: str
    """Where a page holds its records, a list: a body without it is no page."""
    identity: str
    """The field by which two records are the same."""
    request_token: str = "pageToken"  # noqa: S105 -- the name of a field
    response_token: str = "nextPageToken"  # noqa: S105 -- the name of a field
    """Absent from the last page."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What every call asks for."""


def _lightsail(source: str, method: str, records_key: str, identity: str = "arn") -> Source:
    # Lightsail API reference: each of these takes a token and nothing else.
    return Source(source, "lightsail", method, records_key, identity)


def _ec2(source: str, method: str, records_key: str, identity: str, **arguments: Any) -> Source:
    # EC2 API reference. Answers are read by the names of their XML (auditor.aws.parsing).
    return Source(source, "ec2", method, records_key, identity, "NextToken", "nextToken", arguments)


SOURCES = {
    source.id: source
    for source in (
        _lightsail(EXPORT_RECORDS, "get_export_snapshot_records", "exportSnapshotRecords"),
        _lightsail(OPERATIONS, "get_operations", "operations", "id"),
        _lightsail(STACK_RECORDS, "get_cloud_formation_stack_records", "cloudFormationStackRecords"),
        _lightsail(INSTANCE_SNAPSHOTS, "get_instance_snapshots", "instanceSnapshots"),
        _lightsail(DISK_SNAPSHOTS, "get_disk_snapshots", "diskSnapshots"),
        # Ids are asked for by a filter: one that is gone then is missing from the answer, where it would fail the
        # whole call by ImageIds. Deprecated and disabled images are left out of it unless they are asked for.
        _ec2(
            IMAGES,
            "describe_images",
            "imagesSet",
            "imageId",
            Owners=["self"],
            IncludeDeprecated=True,
            IncludeDisabled=True,
        ),
        _ec2(SNAPSHOTS, "describe_snapshots", "snapshotSet", "snapshotId", OwnerIds=["self"]),
        _ec2(VOLUMES, "describe_volumes", "volumeSet", "volumeId"),
        _ec2(
            IMAGE_PERMISSIONS,
            "describe_image_attribute",
            "launchPermission",
            "",
            Attribute="launchPermission",
        ),
        _ec2(
            SNAPSHOT_PERMISSIONS,
            "describe_snapshot_attribute",
            "createVolumePermission",
            "",
            Attribute="createVolumePermission",
        ),
    )
}
