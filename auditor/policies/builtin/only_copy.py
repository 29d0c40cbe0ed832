"""The last copy there is of a snapshot.

Why
    A snapshot that was deleted in Lightsail lives on in its export alone. The
    next one to tidy up in EC2 sees an old image that nobody uses, and not that
    nothing could bring it back.

What it finds
    Exports whose Lightsail snapshot is gone, and of whose copies exactly one is
    still in EC2, in this account and Region. Copies that were made of the copy,
    here or elsewhere, are not seen. It is no fault, but something to know.

Settings
    `severity` (info)

What to do
    Decide whether it is needed. If so, protect it with the command of the
    finding (EC2 then refuses to deregister the image, or locks the snapshot in
    governance mode for a year, which those who may can undo), or copy it to
    another account. If not, delete it.

Examples
    Breaks it::

        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}, "source": null}}

    Breaks it: the other copy was deleted::

        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null, "snapshots": [{"id": "snap-1"}],
                   "source": null}}
        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "snap-2"}},
         "facts": {"image": null, "snapshots": null, "source": null}}

    Keeps it: the snapshot is still there in Lightsail::

        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}, "source": {}}}

    Keeps it: there are two copies::

        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}, "source": null}}
        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-2"}},
         "facts": {"image": {"id": "ami-2"}, "source": null}}

    Can't be judged: nobody could look whether its source is there::

        {"record": {"state": "Succeeded", "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}}}

    Can't be judged: a copy of what? ::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}, "source": null}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config import PolicySettings
from auditor.errors import Unjudgeable, UnusableField
from auditor.model import DISK_SNAPSHOTS, INSTANCE_SNAPSHOTS, Control, ExportRecord, Severity, known
from auditor.policies.commands import all_of, aws
from auditor.policies.contract import Breach, Judgement, TargetPolicy
from auditor.policies.copies import COPIES, image_id, is_there, name_of_copy, snapshot_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCKED_DAYS = "365"


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.INFO


class Policy(TargetPolicy[Settings]):
    """The last one."""

    sources = COPIES | {INSTANCE_SNAPSHOTS, DISK_SNAPSHOTS}
    settings_type = Settings
    remediation = (
        "Decide whether it is needed: protect it or copy it to another account if so, delete it if not."
    )
    controls = (
        Control("NIST SP 800-53 r5", "CM-8", "organisational"),
        Control("NIST SP 800-53 r5", "SI-12", "organisational"),
    )

    def begin(self) -> Judgement:
        """Return the judgement of one target."""
        return _LastCopies()


class _LastCopies(Judgement):
    """The copies that are there of snapshots that are gone, in one target."""

    def __init__(self) -> None:
        self._last: dict[str, ExportRecord | None] = {}
        """The only copy seen so far of each snapshot that is gone; None where there is, or may be, another."""

    def see(self, record: ExportRecord) -> None:
        try:
            if not is_there(record):
                return
            gone = known(record.facts.source) is None
        except Unjudgeable:
            # It may be another copy, so that no other can be called the only one.
            if record.source_arn is not None:
                self._last[record.source_arn] = None
            raise
        if not gone:
            return
        source = record.source_arn
        if source is None:
            raise UnusableField("sourceInfo.arn")
        if source not in self._last:
            self._last[source] = record
            return
        other = self._last[source]
        if other is None or other.destination_id != record.destination_id:
            self._last[source] = None
        elif record.arn < other.arn:
            self._last[source] = record  # two records of one copy: the same is told of whatever their order

    def conclude(self, *, complete: bool) -> Iterator[Breach]:
        for record in self._last.values():
            if record is not None:
                yield _breach(record, complete=complete)


def _breach(record: ExportRecord, *, complete: bool) -> Breach:
    evidence = {
        "source_snapshot_arn": record.source_arn,
        "image_id": image_id(record),
        "snapshot_ids": snapshot_ids(record),
        "target_read_completely": complete,
    }
    message = f"{name_of_copy(record)} is the only one, and the snapshot itself is gone."
    return Breach(record, message, evidence, remediation=_protect(record))


def _protect(record: ExportRecord) -> str | None:
    image = image_id(record)
    if image is not None:
        return aws(record, "ec2 enable-image-deregistration-protection", image_id=image)
    return all_of(
        aws(
            record,
            "ec2 lock-snapshot",
            snapshot_id=each,
            lock_mode="governance",
            lock_duration=_LOCKED_DAYS,
        )
        for each in snapshot_ids(record)
    )
