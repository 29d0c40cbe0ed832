"""One export snapshot record, in the shape that Lightsail documents.

Shapes: botocore's service model, `ExportSnapshotRecord`; values: AWS's example of get-export-snapshot-records.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from datetime import datetime, timedelta

Record: TypeAlias = dict[str, Any]
"""A record as it goes over the wire, JSON's types only."""

BUNDLES = ("nano_3_0", "micro_3_0", "small_3_0", "medium_3_0", "large_3_0", "2xlarge_3_0")
BLUEPRINTS = ("wordpress", "lamp_8_bitnami", "nodejs", "ubuntu_22_04", "amazon_linux_2023", "ghost_bitnami")
PURPOSES = ("web", "api", "shop", "wiki", "batch", "mail", "reports", "cache")


@dataclass(frozen=True, slots=True)
class Source:
    """A Lightsail snapshot that was exported, once or more often."""

    info: Record
    """The `sourceInfo` of each of its records."""

    @property
    def is_block_disk(self) -> bool:
        """Whether a block disk was exported, and not an instance."""
        return bool(self.info["resourceType"] == "DiskSnapshot")


@dataclass(frozen=True, slots=True)
class RecordMaker:
    """Makes the records of one account in one Region; what is not asked for comes from the generator."""

    rng: random.Random
    account_id: str
    region: str
    now: datetime
    """Aware; ages are counted back from here."""

    def instance(self, system_gb: int = 80, attached_gb: Sequence[int] = ()) -> Source:
        """Return an instance snapshot with a system disk and the attached ones, sizes in GB."""
        name = f"{self.rng.choice(PURPOSES)}-{self.rng.randrange(1, 100)}"
        # AWS names no system disk, so neither does this.
        disks: list[Record] = [{"path": "/dev/sda1", "sizeInGb": system_gb, "isSystemDisk": True}]
        disks += [
            {
                "name": f"{name}-data-{number}",
                "path": f"/dev/xvd{chr(ord('f') + number)}",
                "sizeInGb": size,
                "isSystemDisk": False,
            }
            for number, size in enumerate(attached_gb)
        ]
        detail = {
            "fromBundleId": self.rng.choice(BUNDLES),
            "fromBlueprintId": self.rng.choice(BLUEPRINTS),
            "fromDiskInfo": disks,
        }
        return self._source("Instance", name, "instanceSnapshotInfo", detail)

    def block_disk(self, size_gb: int = 64) -> Source:
        """Return a block disk's snapshot."""
        name = f"{self.rng.choice(PURPOSES)}-disk-{self.rng.randrange(1, 100)}"
        return self._source("Disk", name, "diskSnapshotInfo", {"sizeInGb": size_gb})

    def export(self, source: Source, state: str, age: timedelta) -> Record:
        """Return the record of an export of `source` that was asked for `age` before now."""
        record: Record = {
            "name": f"ExportSnapshotRecord-{self.guid()}",
            "arn": self.arn("ExportSnapshotRecord"),
            "createdAt": round((self.now - age).timestamp(), 3),
            "location": {"availabilityZone": "all", "regionName": self.region},
            "resourceType": "ExportSnapshotRecord",
            "state": state,
            "sourceInfo": source.info,
        }
        if state == "Succeeded":
            # The service of a disk's destination stands in no sample of AWS's; this one is a guess.
            prefix, service = ("snap", "Snapshot") if source.is_block_disk else ("ami", "Image")
            record["destinationInfo"] = {
                "id": f"{prefix}-0{self.rng.getrandbits(64):016x}",
                "service": f"Aws::EC2::{service}",
            }
        return record

    def _source(self, kind: str, name: str, member: str, detail: Record) -> Source:
        taken = self.now.timestamp() - self.rng.uniform(100, 400) * 86_400
        info = {
            "resourceType": f"{kind}Snapshot",
            "createdAt": round(taken, 3),
            "name": f"{name}-{int(taken)}",
            "arn": self.arn(f"{kind}Snapshot"),
            "fromResourceName": name,
            "fromResourceArn": self.arn(kind),
            member: detail,
        }
        return Source(info)

    def arn(self, kind: str) -> str:
        """Return the ARN of a new thing of Lightsail's, such as an `InstanceSnapshot`."""
        return f"arn:aws:lightsail:{self.region}:{self.account_id}:{kind}/{self.guid()}"

    def guid(self) -> str:
        """Return a new id, as Lightsail makes them."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
