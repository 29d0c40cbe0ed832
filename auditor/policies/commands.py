"""The commands that a finding tells to run, safe to paste into a shell whatever AWS called the thing."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from auditor.model import is_plain
from auditor.policies.copies import image_id, snapshot_ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.model import ExportRecord


def aws(record: ExportRecord, operation: str, **options: str | None) -> str | None:
    """Return the command `aws OPERATION --option value …`, in the record's Region where it tells one.

    An option whose value is empty is a switch. None where a value can't be written down safely: a policy's general
    remediation then has to do.

    :param operation: service and operation, as in `ec2 deregister-image`.
    """
    words = ["aws", *operation.split()]
    region = record.region
    for name, value in (options if region is None else options | {"region": region}).items():
        if value is None or not _can_be_written(value):
            return None
        words.append("--" + name.replace("_", "-"))
        if value:
            words.append(shlex.quote(value))
    return " ".join(words)


def all_of(commands: Iterable[str | None]) -> str | None:
    """Return one line that runs these, each only after the one before it succeeded; None where one is missing."""
    told = list(commands)
    known = [command for command in told if command is not None]
    return " && ".join(known) if known and len(known) == len(told) else None


def delete_copy(record: ExportRecord) -> str | None:
    """Return the command that deletes what stands of the export in EC2."""
    image = image_id(record)
    if image is not None:
        return aws(record, "ec2 deregister-image", image_id=image, delete_associated_snapshots="")
    return all_of(aws(record, "ec2 delete-snapshot", snapshot_id=each) for each in snapshot_ids(record))


def export_again(record: ExportRecord) -> str | None:
    """Return the command that exports the same snapshot once more."""
    return aws(record, "lightsail export-snapshot", source_snapshot_name=record.source.name)


def _can_be_written(value: str) -> bool:
    # The AWS CLI takes a leading hyphen for an option, and reads the file or page that file:// or https:// names.
    return is_plain(value) and not value.startswith("-") and "://" not in value
