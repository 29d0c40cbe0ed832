"""An exported image of an operating system past its end of life.

Why
    Its maker mends no more holes in it. As an image it waits to be launched,
    in EC2 and so outside whatever keeps the Lightsail instances up to date,
    with every hole that was found since.

What it finds
    Exports of an instance whose blueprint is an operating system that is past
    its end of life, while the copy is still there. The date is the last day of
    security updates for everybody, without a contract: Debian's long-term
    support counts; Ubuntu Pro and Microsoft's Extended Security Updates, which
    are sold, do not. The dates stand, with their source, in
    `auditor/policies/end_of_life.py`. A blueprint that is not listed there
    keeps this policy: an application (WordPress, say) does not tell what system
    it stands on, and to call all of them unjudged would drown what matters. A
    disk has no blueprint. The system may have been upgraded since the instance
    was made; the record tells what it began with.

Settings
    `severity` (medium)

What to do
    Move what runs there to a system that is supported, and delete the copy with
    the command of the finding.

Examples
    Breaks it::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
                    "sourceInfo": {"resourceType": "InstanceSnapshot",
                     "instanceSnapshotInfo": {
                        "fromBlueprintId": "ubuntu_16_04_2"}}},
         "facts": {"image": {}}}

    Keeps it: it is supported::

        {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
         "sourceInfo": {"resourceType": "InstanceSnapshot",
          "instanceSnapshotInfo": {"fromBlueprintId": "ubuntu_24_04"}}}

    Keeps it: an application, on a system that is not known::

        {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
         "sourceInfo": {"resourceType": "InstanceSnapshot",
          "instanceSnapshotInfo": {"fromBlueprintId": "wordpress_4_9_8"}}}

    Keeps it: a disk::

        {"state": "Succeeded", "destinationInfo": {"id": "snap-1"},
         "sourceInfo": {"resourceType": "DiskSnapshot"}}

    Keeps it: the copy is gone::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
                    "sourceInfo": {"resourceType": "InstanceSnapshot",
                     "instanceSnapshotInfo": {
                        "fromBlueprintId": "centos_7_2009_01"}}},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: is the copy there? ::

        {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
         "sourceInfo": {"resourceType": "InstanceSnapshot",
          "instanceSnapshotInfo": {"fromBlueprintId": "debian_8_7"}}}

    Can't be judged: which system? ::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
                    "sourceInfo": {"resourceType": "InstanceSnapshot"}},
         "facts": {"image": {}}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, Severity
from auditor.policies.commands import delete_copy
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, image_id, is_there, name_of_copy, snapshot_ids
from auditor.policies.end_of_life import EndOfLife, end_of_life

if TYPE_CHECKING:
    from datetime import datetime


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.MEDIUM


class Policy(RecordPolicy[Settings]):
    """Past its end of life."""

    sources = COPIES
    settings_type = Settings
    remediation = "Move what runs there to a supported operating system, and delete the copy."
    controls = (Control("NIST SP 800-53 r5", "CM-8", "organisational"),)

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        self._today = now.date().isoformat()

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return the system, where its last day of support has gone by."""
        try:
            blueprint = record.source.blueprint_id
        except UnusableField:
            if is_there(record):
                raise
            return None  # of what is not there it does not matter
        ended = None if blueprint is None else end_of_life(blueprint)
        # Days in ISO 8601 are in order as text; the last day itself is still supported.
        if ended is None or ended.ends >= self._today or not is_there(record):
            return None
        return _breach(record, blueprint, ended)


def _breach(record: ExportRecord, blueprint: str | None, ended: EndOfLife) -> Breach:
    evidence = {
        "blueprint_id": blueprint,
        "operating_system": ended.system,
        "end_of_life": ended.ends,
        "end_of_life_source": ended.source,
        "image_id": image_id(record),
        "snapshot_ids": snapshot_ids(record),
    }
    message = f"{name_of_copy(record)} is of {ended.system}, which is past its end of life."
    return Breach(record, message, evidence, remediation=delete_copy(record))
