"""A target: one source of one account in one Region, the unit that the ledger accounts for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.model.account import Account

EXPORT_RECORDS = "lightsail:GetExportSnapshotRecords"
"""The source of the records: one AWS operation, named as IAM names it."""

OPERATIONS = "lightsail:GetOperations"
STACK_RECORDS = "lightsail:GetCloudFormationStackRecords"
INSTANCE_SNAPSHOTS = "lightsail:GetInstanceSnapshots"
DISK_SNAPSHOTS = "lightsail:GetDiskSnapshots"
IMAGES = "ec2:DescribeImages"
SNAPSHOTS = "ec2:DescribeSnapshots"
VOLUMES = "ec2:DescribeVolumes"
IMAGE_PERMISSIONS = "ec2:DescribeImageAttribute"
SNAPSHOT_PERMISSIONS = "ec2:DescribeSnapshotAttribute"
"""The sources of facts about a record."""

LIST_ACCOUNTS = "organizations:ListAccounts"
LIST_ROOTS = "organizations:ListRoots"
LIST_UNITS = "organizations:ListOrganizationalUnitsForParent"
LIST_ACCOUNTS_OF_UNIT = "organizations:ListAccountsForParent"
LIST_TAGS = "organizations:ListTagsForResource"
"""What an organisation is read with."""

PARTITION = "aws"
"""The only partition that has Lightsail (botocore's endpoints)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One source × account × Region."""

    source: str
    account: Account
    region: str
