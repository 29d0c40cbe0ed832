"""What an export left in EC2, as the policies about copies see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.errors import UnusableField
from auditor.model import IMAGES, SNAPSHOTS, Known, known, rfc3339, shown

if TYPE_CHECKING:
    from auditor.model import ExportRecord, Snapshot

COPIES = frozenset({IMAGES, SNAPSHOTS})
"""The sources that tell whether a copy is there, and of what it is made."""


def is_there(record: ExportRecord) -> bool:
    """Return whether anything of the export stands in EC2.

    :raises UnknownFact: where that is not known.
    :raises UnusableField: where nobody could look, since a succeeded export does not say what it became.
    """
    if record.facts.copy_is_there:
        return True
    _must_name_its_copy(record)
    return False


def snapshots_there(record: ExportRecord) -> tuple[Snapshot, ...]:
    """Return every EBS snapshot of the copy; none where nothing of it stands in EC2.

    :raises UnknownFact: where that is not known.
    :raises UnusableField: where nobody could look, as above, or the image is made of snapshots that EC2 did not show.
    """
    image = known(record.facts.image)
    snapshots = known(record.facts.snapshots) or ()
    if image is not None:
        # EC2 deletes no snapshot of a registered image, and every exported one has a system disk.
        if len(snapshots) < max(1, len(image.snapshot_ids)):
            raise UnusableField("blockDeviceMapping.ebs.snapshotId")
    elif not snapshots:
        _must_name_its_copy(record)
    return snapshots


def image_id(record: ExportRecord) -> str | None:
    """Return the id of the image, where one is known to be there."""
    return record.facts.image.value.id if isinstance(record.facts.image, Known) else None


def snapshot_ids(record: ExportRecord) -> list[str]:
    """Return the ids of the EBS snapshots that are known to be there."""
    snapshots = record.facts.snapshots
    return [each.id for each in snapshots.value] if isinstance(snapshots, Known) else []


def name_of_copy(record: ExportRecord) -> str:
    """Return what a message calls the copy, made fit to be shown."""
    copy = record.destination_id
    of = record.source.name or record.source.arn
    named = "The copy" if copy is None else f"The copy {shown(copy)}"
    return (
        f"{named} of a snapshot that it does not name" if of is None else f"{named} of snapshot {shown(of)}"
    )


def when(instant: float | None) -> str | None:
    """Return seconds since the epoch as evidence tells them."""
    return None if instant is None else rfc3339(datetime.fromtimestamp(instant, UTC))


def _must_name_its_copy(record: ExportRecord) -> None:
    # Nothing was found under no name, or under one that is neither an image's nor a snapshot's: that shows nothing.
    if not (record.destination_id or "").startswith(("ami-", "snap-")) and record.state == "Succeeded":
        raise UnusableField("destinationInfo.id")
