"""What an export leaves behind: the copy in EC2, and what stands of it in Lightsail.

Things of EC2 are held by the names of its XML. Sources: botocore's service models of EC2 and Lightsail; the values
are those of AWS's examples. How Lightsail names and tags the copies is not documented: these names are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.simulator.records import Record, RecordMaker

EVERYBODY = {"group": "all"}
"""A permission for all of AWS."""
SIBLING = "sibling"
"""Stands for another account of the same estate."""
_ARRIVAL = timedelta(minutes=20)
"""From the export's start to its copy in EC2."""
_LONG_AGO = timedelta(days=60)


@dataclass(slots=True)
class Afterlife:
    """All of it in one account and Region; read once the server runs, and changed no more then."""

    images: dict[str, Record] = field(default_factory=dict)
    """By id, as the two that follow."""
    snapshots: dict[str, Record] = field(default_factory=dict)
    volumes: dict[str, Record] = field(default_factory=dict)
    image_permissions: dict[str, list[Record]] = field(default_factory=dict)
    """The launch permissions of an image, `{"group": "all"}` or `{"userId": …}`; none where it is absent."""
    snapshot_permissions: dict[str, list[Record]] = field(default_factory=dict)
    operations: list[Record] = field(default_factory=list)
    """Lightsail's, as the three that follow, in the order in which they are paged."""
    stacks: list[Record] = field(default_factory=list)
    instance_snapshots: list[Record] = field(default_factory=list)
    disk_snapshots: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one export. What is not said is harmless."""

    copy: bool = True
    """Whether its image or snapshot is there; of a record that did not succeed, none ever is."""
    source: bool = True
    """Whether the Lightsail snapshot is still there."""
    image_permissions: tuple[Record, ...] = ()
    snapshot_permissions: tuple[Record, ...] = ()
    """Of the copy's first snapshot."""
    encrypted: tuple[bool | None, ...] = (True,)
    """Of each snapshot in turn; the last one holds for the rest. None: EC2 does not say."""
    used: bool | None = None
    """Whether it was launched, or a volume made of it. None: where it is so old that somebody would ask."""
    stack: bool = False
    volume: bool = False
    """Whether a stack, or a volume, was made from it, whatever `used` says."""
    dated: bool = True
    """Whether EC2 says how old the copy is."""
    error: str | None = None
    """Why it failed, where Lightsail still has the operation."""
    tier: str = "standard"


HARMLESS = Fate()


class AfterlifeMaker:
    """Makes the afterlife of one account in one Region, record by record."""

    def __init__(self, make: RecordMaker, sibling: str | None) -> None:
        self.life = Afterlife()
        self._make = make
        self._sibling = sibling
        """The id of another account of the estate, where there is one."""
        self._sources: set[str] = set()

    def follow(self, record: Record, fate: Fate) -> None:
        """Add what became of `record`."""
        info = record.get("sourceInfo", {})
        if fate.source and info.get("arn") not in (None, *self._sources):
            self._sources.add(info["arn"])
            self._add_source(info)
        self._add_operation(record, fate)
        destination = record.get("destinationInfo", {}).get("id", "")
        if not fate.copy:
            return
        if destination.startswith("ami-"):
            self._add_image(destination, record, fate)
        elif destination.startswith("snap-"):
            size = info.get("diskSnapshotInfo", {}).get("sizeInGb", 8)
            self._add_snapshot(destination, size, record, fate, 0)
            self._permit(self.life.snapshot_permissions, destination, fate.snapshot_permissions)
            if fate.volume or self._is_used(record, fate):
                self._add_volume(destination)

    def add_bystanders(self) -> None:
        """Add images that no export made: a plain one, a deprecated and a disabled one."""
        for name, changes in (
            ("web-golden", {}),
            ("web-golden-old", {"deprecationTime": iso(self._make.now - timedelta(days=30))}),
            ("web-golden-broken", {"imageState": "disabled"}),
        ):
            image_id, snapshot_id = self._id("ami"), self._id("snap")
            made = self._make.now - timedelta(days=500)
            self.life.snapshots[snapshot_id] = self._snapshot(snapshot_id, 8, made, HARMLESS, 0)
            mapping = [_mapping("/dev/xvda", snapshot_id, 8)]
            self.life.images[image_id] = {**self._image(image_id, name, made, mapping), **changes}

    def _is_used(self, record: Record, fate: Fate) -> bool:
        old = self._made(record) < self._make.now - _LONG_AGO
        return old if fate.used is None else fate.used

    def _made(self, record: Record) -> datetime:
        """Return when the copy was there."""
        created = record["createdAt"]
        age = self._make.now.timestamp() - created if isinstance(created, (int, float)) else 86_400
        return self._make.now - timedelta(seconds=age) + _ARRIVAL

    def _add_image(self, image_id: str, record: Record, fate: Fate) -> None:
        disks = record.get("sourceInfo", {}).get("instanceSnapshotInfo", {}).get("fromDiskInfo") or [{}]
        made, snapshot_ids = self._made(record), []
        mapping = []
        for number, disk in enumerate(disks):
            snapshot_ids.append(self._id("snap"))
            size = disk.get("sizeInGb", 8)
            self._add_snapshot(snapshot_ids[-1], size, record, fate, number)
            mapping.append(_mapping(disk.get("path", "/dev/sda1"), snapshot_ids[-1], size))
        image = self._image(image_id, f"{record['name']}-{image_id}", made, mapping)
        if fate.used is not False and self._is_used(record, fate):
            image["lastLaunchedTime"] = iso(self._make.now - timedelta(days=self._make.rng.uniform(2, 30)))
        if not fate.dated:
            del image["creationDate"]
        image["isPublic"] = EVERYBODY in fate.image_permissions
        self.life.images[image_id] = image
        self._permit(self.life.image_permissions, image_id, fate.image_permissions)
        self._permit(self.life.snapshot_permissions, snapshot_ids[0], fate.snapshot_permissions)
        if fate.stack:
            self._add_stack(record)
        if fate.volume:
            self._add_volume(snapshot_ids[0])

    def _image(self, image_id: str, name: str, made: datetime, mapping: list[Record]) -> Record:
        return {
            "imageId": image_id,
            "imageLocation": f"{self._make.account_id}/{name}",
            "imageState": "available",
            "imageOwnerId": self._make.account_id,
            "creationDate": iso(made),
            "isPublic": False,
            "architecture": "x86_64",
            "imageType": "machine",
            "name": name,
            "rootDeviceType": "ebs",
            "rootDeviceName": mapping[0]["deviceName"],
            "blockDeviceMapping": mapping,
            "virtualizationType": "hvm",
            "hypervisor": "xen",
            "enaSupport": True,
            "platformDetails": "Linux/UNIX",
            "usageOperation": "RunInstances",
        }

    def _add_snapshot(self, snapshot_id: str, size: int, record: Record, fate: Fate, number: int) -> None:
        snapshot = self._snapshot(snapshot_id, size, self._made(record), fate, number)
        self.life.snapshots[snapshot_id] = snapshot

    def _snapshot(self, snapshot_id: str, size: int, made: datetime, fate: Fate, number: int) -> Record:
        encrypted = fate.encrypted[min(number, len(fate.encrypted) - 1)]
        snapshot: dict[str, Any] = {
            "snapshotId": snapshot_id,
            "volumeId": "vol-ffffffff",
            "status": "completed",
            "startTime": iso(made),
            "progress": "100%",
            "ownerId": self._make.account_id,
            "volumeSize": size,
            "description": "",
            "encrypted": encrypted,
            "storageTier": fate.tier,
            "fullSnapshotSizeInBytes": int(size * 2**30 * self._make.rng.uniform(0.1, 0.9)),
        }
        if encrypted:
            snapshot["kmsKeyId"] = (
                f"arn:aws:kms:{self._make.region}:{self._make.account_id}:key/{self._make.guid()}"
            )
        if not fate.dated:
            del snapshot["startTime"]
        return {name: value for name, value in snapshot.items() if value is not None}

    def _add_volume(self, snapshot_id: str) -> None:
        volume_id, snapshot = self._id("vol"), self.life.snapshots[snapshot_id]
        self.life.volumes[volume_id] = {
            "volumeId": volume_id,
            "size": snapshot["volumeSize"],
            "snapshotId": snapshot_id,
            "availabilityZone": f"{self._make.region}a",
            "status": "in-use",
            "createTime": iso(self._make.now - timedelta(days=1)),
            "attachmentSet": [],
            "volumeType": "gp3",
            "encrypted": snapshot.get("encrypted", False),
            "multiAttachEnabled": False,
        }

    def _permit(self, held: dict[str, list[Record]], thing: str, permissions: tuple[Record, ...]) -> None:
        listed = [
            {"userId": self._sibling} if permission.get("userId") == SIBLING else dict(permission)
            for permission in permissions
            if permission.get("userId") != SIBLING or self._sibling is not None
        ]
        if listed:
            held[thing] = listed

    def _add_source(self, info: Record) -> None:
        shared = {
            "name": info["name"],
            "arn": info["arn"],
            "supportCode": f"{self._make.rng.randrange(10**12):012d}/{self._id('snap')}",
            "createdAt": info["createdAt"],
            "location": {"availabilityZone": "all", "regionName": self._make.region},
            "resourceType": info["resourceType"],
            "tags": [],
            "progress": "100%",
            "isFromAutoSnapshot": False,
        }
        if info["resourceType"] == "DiskSnapshot":
            told = {
                "state": "completed",
                "sizeInGb": info["diskSnapshotInfo"]["sizeInGb"],
                "fromDiskName": info["fromResourceName"],
                "fromDiskArn": info["fromResourceArn"],
            }
            self.life.disk_snapshots.append({**shared, **told})
            return
        detail = info["instanceSnapshotInfo"]
        told = {
            "state": "available",
            "sizeInGb": sum(disk["sizeInGb"] for disk in detail["fromDiskInfo"] if disk.get("isSystemDisk")),
            "fromAttachedDisks": [],
            "fromInstanceName": info["fromResourceName"],
            "fromInstanceArn": info["fromResourceArn"],
            "fromBundleId": detail["fromBundleId"],
        }
        if "fromBlueprintId" in detail:
            told["fromBlueprintId"] = detail["fromBlueprintId"]
        self.life.instance_snapshots.append({**shared, **told})

    def _add_operation(self, record: Record, fate: Fate) -> None:
        """Add the operation, unless the export is so old that Lightsail keeps it no longer, or says nothing."""
        state, created = record.get("state"), record.get("createdAt")
        if state not in ("Succeeded", "Failed", "Started") or not isinstance(created, (int, float)):
            return
        if created < (self._make.now - _LONG_AGO).timestamp():
            return
        operation: dict[str, Any] = {
            "id": self._make.guid(),
            "resourceName": record["name"],
            "resourceType": "ExportSnapshotRecord",
            "createdAt": created,
            "location": {"availabilityZone": "all", "regionName": self._make.region},
            "isTerminal": state != "Started",
            "operationType": "ExportSnapshot",
            "status": state,
            "statusChangedAt": created + (0 if state == "Started" else _ARRIVAL.total_seconds()),
        }
        if state == "Failed":
            operation["errorCode"] = fate.error or "InternalFailure"
            operation["errorDetails"] = f"The snapshot could not be exported: {operation['errorCode']}."
        self.life.operations.append(operation)

    def _add_stack(self, record: Record) -> None:
        name = f"CloudFormationStackRecord-{self._make.guid()}"
        self.life.stacks.append(
            {
                "name": name,
                "arn": self._make.arn("CloudFormationStackRecord"),
                "createdAt": record["createdAt"] + 86_400,
                "location": {"availabilityZone": "all", "regionName": self._make.region},
                "resourceType": "CloudFormationStackRecord",
                "state": "Succeeded",
                "sourceInfo": [
                    {"resourceType": "ExportSnapshotRecord", "name": record["name"], "arn": record["arn"]}
                ],
                "destinationInfo": {
                    "id": f"arn:aws:cloudformation:{self._make.region}:{self._make.account_id}:stack/"
                    f"Lightsail-Stack-{self._make.guid()}/{self._make.guid()}",
                    "service": "Aws::CloudFormation::Stack",
                },
            }
        )

    def _id(self, prefix: str) -> str:
        return f"{prefix}-0{self._make.rng.getrandbits(64):016x}"


def iso(instant: datetime) -> str:
    """Return a time as EC2 writes it, in milliseconds."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def _mapping(device: str, snapshot_id: str, size: int) -> Record:
    ebs = {
        "deleteOnTermination": True,
        "snapshotId": snapshot_id,
        "volumeSize": size,
        "volumeType": "gp3",
        "encrypted": True,
    }
    return {"deviceName": device, "ebs": ebs}
