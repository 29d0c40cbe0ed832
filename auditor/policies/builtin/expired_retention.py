"""An export whose copy in EC2 was kept for longer than is allowed.

Why
    Nothing deletes an exported image or snapshot: EC2 keeps it, and bills it,
    until somebody remembers it. Data that should have been gone by a promise or
    by law lives on in it.

What it finds
    Exports whose copy was made more than `max_age` ago: the image by its
    creation date; where there is none, a disk's snapshot (or what stayed of an
    image that was deregistered) by when it was started. What is not there any
    more is left alone.

Settings
    `max_age` (365d): an age of exactly this is allowed.
    `severity` (medium)

What to do
    Delete the copy with the command of the finding, which takes the image's
    snapshots with it; or accept it, with an owner and an end, by a waiver.

Examples
    Breaks it: an image::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"created": "366d ago"}}}

    Breaks it: a disk's snapshot::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null, "snapshots": [{"started": "366d ago"}]}}

    Keeps it: exactly as old as is allowed::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"created": "365d ago"}}}

    Keeps it: the export is old, but its copy was deleted::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
                    "createdAt": "999d ago"},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: EC2 did not say how old it is::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}}}

    Can't be judged: nobody could look whether it is there::

        {"state": "Succeeded", "destinationInfo": {"id": "ami-1"},
         "createdAt": "999d ago"}
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from auditor.config import Duration, PolicySettings, format_duration
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, Severity, known
from auditor.policies.commands import delete_copy
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, image_id, name_of_copy, snapshot_ids, snapshots_there, when

if TYPE_CHECKING:
    from datetime import datetime


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.MEDIUM
    max_age: Duration = timedelta(days=365)


class Policy(RecordPolicy[Settings]):
    """Kept for too long."""

    sources = COPIES
    settings_type = Settings
    remediation = "Delete the image with its snapshots, or the disk's snapshot, or accept it by a waiver."
    controls = (Control("NIST SP 800-53 r5", "SI-12", "organisational"),)

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        self._oldest = (now - settings.max_age).timestamp()
        """The earliest that a copy may have been made, in seconds since the epoch."""

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return when it was made, where that is too long ago."""
        image = known(record.facts.image)
        if image is not None:
            if image.created is None:
                raise UnusableField("creationDate")
            return None if image.created >= self._oldest else self._breach(record, image.created)
        undated = False
        for snapshot in snapshots_there(record):
            if snapshot.started is None:
                undated = True
            elif snapshot.started < self._oldest:
                return self._breach(record, snapshot.started)
        if undated:
            raise UnusableField("startTime")
        return None

    def _breach(self, record: ExportRecord, made: float) -> Breach:
        max_age = format_duration(self.settings.max_age)
        evidence = {
            "image_id": image_id(record),
            "snapshot_ids": snapshot_ids(record),
            "made_at": when(made),
            "max_age": max_age,
        }
        message = f"{name_of_copy(record)} is older than {max_age}."
        return Breach(record, message, evidence, remediation=delete_copy(record))
