"""An export that succeeded, and whose copy is gone.

Why
    Its record will say Succeeded for ever: no call deletes it. Whoever counts
    on the copy, as the backup or the migration that it was made for, learns
    only when it is needed that somebody deleted it.

What it finds
    Records in state Succeeded whose image, or disk's snapshot, is not in EC2 any
    more. An image that was deregistered is gone, even if its snapshots stayed.
    An export that is under way or failed has no copy to miss.

Settings
    `ignore_after` (off): an export older than this is no longer found, so that
    copies which were deleted on purpose do not stay in the report for ever.
    `severity` (low)

What to do
    If the copy is still needed, export the snapshot again with the command of
    the finding. If it was deleted on purpose, set `ignore_after`, or accept it
    by a waiver.

Examples
    Breaks it: the image is gone::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": null}}

    Breaks it: only its snapshots stayed::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": [{}]}}

    Breaks it: a disk's snapshot is gone::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null, "snapshots": null}}

    Keeps it: it is there::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}}}

    Keeps it: it is not there yet::

        {"record": {"state": "Started", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: it does not say what it became::

        {"record": {"state": "Succeeded"},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: nobody could look::

        {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}}
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from auditor.config import Duration, PolicySettings
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, Severity, known
from auditor.policies.commands import export_again
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, name_of_copy, snapshot_ids

if TYPE_CHECKING:
    from datetime import datetime


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.LOW
    ignore_after: Duration | None = None


class Policy(RecordPolicy[Settings]):
    """Succeeded, and gone."""

    sources = COPIES
    settings_type = Settings
    remediation = (
        "Export the snapshot again if the copy is needed; set ignore_after if it was deleted on purpose."
    )
    controls = (
        Control("NIST SP 800-53 r5", "CM-8", "organisational"),
        Control("NIST SP 800-53 r5", "SI-12", "organisational"),
    )

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        ignored = settings.ignore_after
        self._oldest = -math.inf if ignored is None else (now - ignored).timestamp()
        """The earliest that an export may have been asked for to be found, in seconds since the epoch."""

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return what is gone."""
        if record.state != "Succeeded":
            return None
        copy = record.destination_id or ""
        if copy.startswith("ami-"):
            gone = known(record.facts.image) is None
        elif copy.startswith("snap-"):
            gone = known(record.facts.snapshots) is None
        else:
            raise UnusableField("destinationInfo.id")
        if not gone or (self.settings.ignore_after is not None and record.created < self._oldest):
            return None
        evidence = {
            "state": record.state,
            "destination_id": copy,
            "snapshots_that_stayed": snapshot_ids(record),
        }
        message = f"{name_of_copy(record)} is gone, though its export succeeded."
        return Breach(record, message, evidence, remediation=export_again(record))
