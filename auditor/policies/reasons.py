"""AWS's reason for a failed export, as evidence tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import Known, shown

if TYPE_CHECKING:
    from auditor.model import ExportRecord


def reason_of(record: ExportRecord) -> dict[str, str | None] | None:
    """Return the error of the operation that made the export; None where it is not to be had (any more)."""
    operation = record.facts.operation
    if not isinstance(operation, Known):
        return None
    code, details = operation.value.error_code, operation.value.error_details
    return {
        "error_code": None if code is None else shown(code),
        "error_details": None if details is None else shown(details),
    }
