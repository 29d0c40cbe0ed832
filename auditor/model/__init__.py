"""The values that every room speaks in: accounts, targets, records, findings, verdicts. Nothing here does I/O."""

from auditor.model.account import Account
from auditor.model.coverage import Failure, Outcome, Reason, Verdict
from auditor.model.finding import Control, Finding, Severity, Status, event_id, finding_id
from auditor.model.record import KNOWN_STATES, Disk, ExportRecord, SnapshotSource, rfc3339
from auditor.model.target import EXPORT_RECORDS, PARTITION, Target
from auditor.model.text import is_plain, shown

__all__ = [
    "EXPORT_RECORDS",
    "KNOWN_STATES",
    "PARTITION",
    "Account",
    "Control",
    "Disk",
    "ExportRecord",
    "Failure",
    "Finding",
    "Outcome",
    "Reason",
    "Severity",
    "SnapshotSource",
    "Status",
    "Target",
    "Verdict",
    "event_id",
    "finding_id",
    "is_plain",
    "rfc3339",
    "shown",
]
