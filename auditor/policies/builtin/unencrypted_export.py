"""An export whose copy in EC2 is not encrypted.

Why
    Whether an export is encrypted is not documented, so that only EC2 can tell.
    A snapshot that is not encrypted can be made public or be shared by one
    call, without a key that anyone would have to hand out.

What it finds
    Exports of which any EBS snapshot that is there, be it of an image or of a
    disk, is not encrypted. What is not there (yet, or any more) is left alone.

Settings
    `severity` (high)

What to do
    Copy each snapshot with encryption, by the command of the finding; make an
    image of the copies if it is needed, then delete the old ones. Switch on
    encryption by default in EC2, so that the next export is encrypted.

Examples
    Breaks it: one of the snapshots::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {},
                   "snapshots": [{"encrypted": true}, {"encrypted": false}]}}

    Breaks it: the image is gone, but its snapshot stayed::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": null, "snapshots": [{"encrypted": false}]}}

    Keeps it: all are encrypted::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}, "snapshots": [{"encrypted": true}]}}

    Keeps it: the copy is gone::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "snap-1"}},
         "facts": {"image": null, "snapshots": null}}

    Keeps it: the export failed, and there is no copy::

        {"record": {"state": "Failed"},
         "facts": {"image": null, "snapshots": null}}

    Can't be judged: EC2 did not say of one of them::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}, "snapshots": [{"encrypted": true}, {}]}}

    Can't be judged: an image of which nobody saw a snapshot::

        {"record": {"state": "Succeeded", "destinationInfo": {"id": "ami-1"}},
         "facts": {"image": {}, "snapshots": null}}

    Can't be judged: it succeeded, but what did it become? ::

        {"record": {"state": "Succeeded"},
         "facts": {"image": null, "snapshots": null}}
"""

from __future__ import annotations

from auditor.config import PolicySettings
from auditor.errors import UnusableField
from auditor.model import Control, ExportRecord, Known, Severity
from auditor.policies.commands import all_of, aws
from auditor.policies.contract import Breach, RecordPolicy
from auditor.policies.copies import COPIES, image_id, name_of_copy, snapshots_there


class Settings(PolicySettings):
    """What the configuration may set."""

    severity: Severity = Severity.HIGH


class Policy(RecordPolicy[Settings]):
    """Not encrypted."""

    sources = COPIES
    settings_type = Settings
    remediation = (
        "Copy each snapshot with encryption and delete the old one; switch on encryption by default in EC2."
    )
    controls = (
        # EC2.7 is about the default of the account: an unencrypted snapshot is what comes of its absence.
        Control("AWS FSBP", "EC2.7", "vendor"),
        *(Control("NIST SP 800-53 r5", id_, "vendor") for id_ in ("SC-13", "SC-28", "SC-28(1)")),
        Control("ISO/IEC 27001:2022", "A.8.24", "vendor"),
    )

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return the snapshots that are not encrypted; one of which that is not known counts only if none is."""
        snapshots = record.facts.snapshots
        if isinstance(snapshots, Known):
            plain = [each.id for each in snapshots.value if each.encrypted is False]
            if plain:
                return _breach(record, plain)
        if any(each.encrypted is None for each in snapshots_there(record)):
            raise UnusableField("encrypted")
        return None


def _breach(record: ExportRecord, plain: list[str]) -> Breach:
    region = record.region
    copies = (
        aws(record, "ec2 copy-snapshot", source_snapshot_id=each, source_region=region, encrypted="")
        for each in plain
    )
    evidence = {"image_id": image_id(record), "unencrypted_snapshot_ids": plain}
    message = f"{name_of_copy(record)} is not encrypted."
    return Breach(record, message, evidence, remediation=all_of(copies))
