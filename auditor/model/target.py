"""A target: one source of one account in one Region, the unit that the ledger accounts for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.model.account import Account

EXPORT_RECORDS = "lightsail:GetExportSnapshotRecords"
"""The source of the records: one AWS operation, named as IAM names it."""

PARTITION = "aws"
"""The only partition that has Lightsail (botocore's endpoints)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One source × account × Region."""

    source: str
    account: Account
    region: str
