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

LIST_REGIONS, GET_REGIONS = "account:ListRegions", "lightsail:GetRegions"
ASKED_BESIDES = (LIST_REGIONS, GET_REGIONS)
"""What an account is asked that is no source: which Regions it has enabled, where one refuses, and which there are."""

LIST_ACCOUNTS = "organizations:ListAccounts"
LIST_ROOTS = "organizations:ListRoots"
LIST_UNITS = "organizations:ListOrganizationalUnitsForParent"
LIST_ACCOUNTS_OF_UNIT = "organizations:ListAccountsForParent"
LIST_TAGS = "organizations:ListTagsForResource"
ORGANIZATION_ACTIONS = (LIST_ACCOUNTS, LIST_ACCOUNTS_OF_UNIT, LIST_UNITS, LIST_ROOTS, LIST_TAGS)
"""What an organisation is read with."""

ASSUME_ROLE = "sts:AssumeRole"
CALLER_IDENTITY = "sts:GetCallerIdentity"
"""What STS is asked."""
NOT_OF_AN_ACCOUNT = (*ORGANIZATION_ACTIONS, ASSUME_ROLE)
"""What stands as the source of the target that tells why an organisation could not be read."""

PARTITION = "aws"
"""The only partition that has Lightsail (botocore's endpoints)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One source × account × Region."""

    source: str
    account: Account
    region: str


@dataclass(frozen=True, slots=True)
class Place:
    """One account and Region, and its targets: those of the records first, then of the facts about them."""

    account: Account
    region: str
    sources: tuple[str, ...]
    """Of which the first is that of the records."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its targets; made when they are asked for, since an organisation has a hundred thousand of them."""
        return tuple(Target(source, self.account, self.region) for source in self.sources)
