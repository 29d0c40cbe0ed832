"""A snapshot that was exported more than once, its copies all still there.

Why
    Each export makes a full copy that is billed by itself. A script that ran
    twice, or a second try before the first had ended, doubles the price for as
    long as nobody looks.

What it finds
    Of the exports of one Lightsail snapshot whose copies are there, all but the
    newest: one finding for each surplus copy. The newest, by when the export was
    asked for, is taken for the one to keep, since who made it last is likeliest
    to rest on it. Its cost is an estimate: what the surplus copy stores at the
    most, at the price of us-east-1 that the finding names with its source and
    its date; where EC2 does not say how much that is, there is none.

Settings
    `severity` (low)

What to do
    See which of the copies is in use, and delete the others: the command of the
    finding deletes this one.

Examples
    Breaks it: the older of two::

        {"record": {"state": "Succeeded", "createdAt": "9d ago",
                    "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"},
                   "snapshots": [{"volume_gb": 20, "tier": "standard"}]}}
        {"record": {"state": "Succeeded", "createdAt": "1d ago",
                    "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-2"}},
         "facts": {"image": {"id": "ami-2"}}}

    Keeps it: the other copy was deleted::

        {"record": {"state": "Succeeded", "createdAt": "9d ago",
                    "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": null}}
        {"record": {"state": "Succeeded", "createdAt": "1d ago",
                    "sourceInfo": {"arn": "arn:of-it"},
                    "destinationInfo": {"id": "ami-2"}},
         "facts": {"image": {"id": "ami-2"}}}

    Keeps it: copies of two snapshots::

        {"record": {"state": "Succeeded", "createdAt": "9d ago",
                    "sourceInfo": {"arn": "arn:of-one"},
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}}}
        {"record": {"state": "Succeeded", "createdAt": "1d ago",
                    "sourceInfo": {"arn": "arn:of-another"},
                    "destinationInfo": {"id": "ami-2"}},
         "facts": {"image": {"id": "ami-2"}}}

    Can't be judged: a copy of what? ::

        {"record": {"state": "Succeeded", "createdAt": "9d ago",
                    "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {"id": "ami-1"}}}

    Can't be judged: is it there? ::

        {"state": "Succeeded", "createdAt": "9d ago",
         "sourceInfo": {"arn": "arn:of-it"},
         "destinationInfo": {"id": "ami-1"}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, KeptRecord, Severity
from auditor.policies.commands import delete_copy
from auditor.policies.contract import Breach, Judgement, TargetPolicy
from auditor.policies.copies import COPIES, image_id, is_there, name_of_copy, snapshot_ids, when
from auditor.policies.prices import storage_cost

if TYPE_CHECKING:
    from collections.abc import Iterator


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.LOW


class Policy(TargetPolicy[Settings]):
    """Exported more than once."""

    sources = COPIES
    settings_type = Settings
    remediation = "See which of the copies is in use, and delete the others in EC2."
    controls = (Control("NIST SP 800-53 r5", "CM-8", "organisational"),)

    def begin(self) -> Judgement:
        """Return the judgement of one target."""
        return _Copies()


class _Copies(Judgement):
    """The copies that are there of each snapshot of one target."""

    def __init__(self) -> None:
        self._of: dict[str, list[KeptRecord]] = {}

    def see(self, record: ExportRecord) -> None:
        if not is_there(record):
            return
        source = record.source_arn
        if source is None:
            raise UnusableField("sourceInfo.arn")
        _ = record.created  # or it can't be told which is the newest
        self._of.setdefault(source, []).append(KeptRecord(record))

    def conclude(self, *, complete: bool) -> Iterator[Breach]:
        for kept in self._of.values():
            if len(kept) > 1:
                yield from _surplus([each.record() for each in kept], complete=complete)


def _surplus(records: list[ExportRecord], *, complete: bool) -> Iterator[Breach]:
    """Yield a breach for each copy but the newest; two records that name the same one are one copy."""
    records.sort(key=lambda record: (record.created, record.arn))
    copies = {record.destination_id: record for record in records}
    *surplus, newest = sorted(copies.values(), key=lambda record: (record.created, record.arn))
    for record in surplus:
        evidence = {
            "source_snapshot_arn": record.source_arn,
            "copies": len(copies),
            "image_id": image_id(record),
            "snapshot_ids": snapshot_ids(record),
            "created_at": when(record.created),
            "newest_copy_id": newest.destination_id,
            "newest_record_arn": newest.arn,
            "newest_created_at": when(newest.created),
            "target_read_completely": complete,
        }
        yield Breach(
            record,
            f"{name_of_copy(record)} is one too many: a newer one is there.",
            evidence,
            remediation=delete_copy(record),
            cost=storage_cost(record),
        )
