"""An export that holds a disk larger than is allowed.

Why
    An exported disk is billed in EC2 by what is stored on it, month after
    month, out of sight of the Lightsail account's fixed price. The large ones
    are where that starts to matter.

What it finds
    Records, whatever their state, of which any system, attached or block disk
    is larger than `max_gb`. One finding a record; its evidence lists each such
    disk with its path and size.

Settings
    `max_gb` (640): in GB as Lightsail counts them; a disk of exactly this is
    allowed.
    `severity` (medium)

What to do
    Delete the image and its snapshots in EC2 if the copy has served its
    purpose, or archive them.

Examples
    Breaks it: a system disk::

        {"sourceInfo": {"resourceType": "InstanceSnapshot",
         "instanceSnapshotInfo": {"fromDiskInfo": [
            {"path": "/dev/sda1", "sizeInGb": 1280, "isSystemDisk": true}]}}}

    Breaks it: an attached disk, beside a small system disk::

        {"sourceInfo": {"resourceType": "InstanceSnapshot",
         "instanceSnapshotInfo": {"fromDiskInfo": [
            {"path": "/dev/sda1", "sizeInGb": 20, "isSystemDisk": true},
            {"name": "data", "path": "/dev/xvdf", "sizeInGb": 641,
             "isSystemDisk": false}]}}}

    Breaks it: a block disk, though the export failed::

        {"state": "Failed", "sourceInfo": {"resourceType": "DiskSnapshot",
         "diskSnapshotInfo": {"sizeInGb": 16000}}}

    Keeps it: exactly as large as is allowed::

        {"sourceInfo": {"resourceType": "DiskSnapshot",
         "diskSnapshotInfo": {"sizeInGb": 640}}}

    Can't be judged: one of the disks has no size::

        {"sourceInfo": {"resourceType": "InstanceSnapshot",
         "instanceSnapshotInfo": {"fromDiskInfo": [
            {"path": "/dev/sda1", "sizeInGb": 20, "isSystemDisk": true},
            {"name": "data", "path": "/dev/xvdf", "isSystemDisk": false}]}}}

    Can't be judged: which disks? ::

        {"state": "Succeeded"}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, Severity, shown
from auditor.policies.contract import Breach, RecordPolicy

if TYPE_CHECKING:
    from datetime import datetime


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.MEDIUM
    max_gb: Annotated[int, Field(gt=0, strict=True)] = 640


class Policy(RecordPolicy[Settings]):
    """Larger than allowed."""

    settings_type = Settings
    remediation = (
        "Delete the image and its snapshots in EC2 if the copy has served its purpose, or archive them."
    )
    controls = (Control("NIST SP 800-53 r5", "CM-8", "organisational"),)

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        self._max_gb = settings.max_gb

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return the disks that are too large; a disk without a size leaves the record unjudged, if none is."""
        sizes = record.source.disk_sizes
        largest = self._max_gb
        for size in sizes:
            if size is not None and size > largest:
                return self._breach(record, sizes)
        if None in sizes:
            raise UnusableField("sizeInGb")
        return None

    def _breach(self, record: ExportRecord, sizes: list[float | None]) -> Breach:
        source = record.source
        too_large = [size for size in sizes if size is not None and size > self._max_gb]
        evidence = {
            "max_gb": self._max_gb,
            "disks": [
                {"kind": disk.kind, "name": disk.name, "path": disk.path, "size_gb": disk.size_gb}
                for disk in source.disks
                if disk.size_gb in too_large
            ],
            "disks_of_unknown_size": sizes.count(None),
        }
        name = shown(source.name or record.name or "the export")
        told = ", ".join(f"{size:g}" for size in too_large)
        return Breach(record, f"{name} holds disks above {self._max_gb} GB: {told} GB.", evidence)
