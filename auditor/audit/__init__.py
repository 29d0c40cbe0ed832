"""The audit itself: plan, read, judge, account for it, write it down. The only room that starts tasks."""

from auditor.audit.folder import choose_folder
from auditor.audit.listing import list_accounts
from auditor.audit.options import (
    EvidenceOptions,
    FailOn,
    FormatRequest,
    NewFindings,
    Observer,
    Progress,
    RunOptions,
)
from auditor.audit.pipeline import audit
from auditor.audit.record import Exit, Gap, Result

__all__ = [
    "EvidenceOptions",
    "Exit",
    "FailOn",
    "FormatRequest",
    "Gap",
    "NewFindings",
    "Observer",
    "Progress",
    "Result",
    "RunOptions",
    "audit",
    "choose_folder",
    "list_accounts",
]
