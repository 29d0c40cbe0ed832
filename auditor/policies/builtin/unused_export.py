"""An export that is paid for, and that nobody ever used.

Why
    EC2 bills a copy by what is stored in it, month after month, apart from
    Lightsail's fixed price. One that was never launched and of which no disk
    was made is often one that nobody knows of any more.

What it finds
    Images older than `max_age` that were never launched, of which Lightsail
    made no stack, and of whose snapshots no volume is there; disks' snapshots
    (and what stayed of an image that was deregistered) older than `max_age` of
    which no volume is there. Its cost is an estimate: what the snapshots store
    at the most, at the price of us-east-1 that the finding names with its
    source and its date; where EC2 does not say how much that is, there is none.

Settings
    `max_age` (90d): an age of exactly this is allowed.
    `severity` (low)

What to do
    Ask whoever exported it whether it is a backup: the policy can't tell one
    from what was forgotten. Delete it with the command of the finding, or
    archive its snapshots, or accept it by a waiver.

Examples
    Breaks it: an image::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"created": "91d ago"},
                   "snapshots": [{"full_bytes": 10737418240,
                                  "tier": "standard"}],
                   "volumes": null, "stacks": null}}

    Breaks it: a disk's snapshot::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null,
                   "snapshots": [{"started": "91d ago", "volume_gb": 8,
                                  "tier": "archive"}],
                   "volumes": null}}

    Keeps it: it is young::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"created": "90d ago"}}}

    Keeps it: it was launched::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"created": "91d ago",
                             "last_launched": "80d ago"}}}

    Keeps it: a volume was made of it::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null, "snapshots": [{"started": "91d ago"}],
                   "volumes": [{"snapshot_id": "snap-1"}]}}

    Keeps it: it was deleted::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: nobody could look for its volumes::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"created": "91d ago"}, "stacks": null}}
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from auditor.config import Duration, PolicySettings, format_duration
from auditor.errors import UnusableField
from auditor.model import STACK_RECORDS, VOLUMES, Control, ExportRecord, Known, Severity, known
from auditor.policies.commands import delete_copy
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, image_id, name_of_copy, snapshot_ids, snapshots_there, when
from auditor.policies.prices import storage_cost

if TYPE_CHECKING:
    from datetime import datetime


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.LOW
    max_age: Duration = timedelta(days=90)


class Policy(RecordPolicy[Settings]):
    """Never used."""

    sources = COPIES | {VOLUMES, STACK_RECORDS}
    settings_type = Settings
    remediation = (
        "Ask whoever exported it whether it is a backup; delete it in EC2 if not, or archive its snapshots."
    )
    controls = (Control("NIST SP 800-53 r5", "CM-8", "organisational"),)

    def __init__(self, settings: Settings, now: datetime, own_accounts: frozenset[str] = frozenset()) -> None:
        super().__init__(settings, now, own_accounts)
        self._oldest = (now - settings.max_age).timestamp()
        """The earliest that an unused copy may have been made, in seconds since the epoch."""

    def asks(self, record: ExportRecord) -> bool:
        """Return whether it may be unused: old, and not known to have been launched."""
        return self._may_be_unused(record)

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return since when it is there, where nobody used it; any one use that is known is enough."""
        if not self._may_be_unused(record):
            return None
        facts = record.facts
        image = known(facts.image)
        if image is not None and isinstance(facts.stacks, Known):
            return None
        if known(facts.volumes) is not None:
            return None
        if image is None:
            return self._breach(record, _latest_start(record))
        known(facts.stacks)
        if image.created is None:
            raise UnusableField("creationDate")
        return self._breach(record, image.created)

    def _may_be_unused(self, record: ExportRecord) -> bool:
        """Return whether it is old, or EC2 does not say how old, and was never launched."""
        image = known(record.facts.image)
        if image is None:
            made = _latest_start(record)
            return made is not None and made < self._oldest
        return image.last_launched is None and (image.created is None or image.created < self._oldest)

    def _breach(self, record: ExportRecord, made: float | None) -> Breach:
        max_age = format_duration(self.settings.max_age)
        evidence = {
            "image_id": image_id(record),
            "snapshot_ids": snapshot_ids(record),
            "made_at": when(made),
            "max_age": max_age,
        }
        return Breach(
            record,
            f"{name_of_copy(record)} is older than {max_age}, and was never used.",
            evidence,
            remediation=delete_copy(record),
            cost=storage_cost(record),
        )


def _latest_start(record: ExportRecord) -> float | None:
    """Return when the youngest of the snapshots was made; None where there is none.

    :raises UnusableField: where EC2 did not say of one of them.
    """
    latest: float | None = None
    for snapshot in snapshots_there(record):
        if snapshot.started is None:
            raise UnusableField("startTime")
        if latest is None or latest < snapshot.started:
            latest = snapshot.started
    return latest
