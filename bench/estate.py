"""What the benchmark's server serves: accounts, Regions, and pages of records in AWS's shape."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

# A fixed list, so that a figure of today compares with one of next year: the Regions of Lightsail in botocore 1.43.11.
REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-2",
)

ROLE_NAME = "LightsailExportAuditor"

BREAKING_SHARE = 0.04
"""Of a page's records: half failed long ago, half have a disk that is too large."""

FIRST_EXPORT = 1_700_000_000.5
"""In November 2023: older than any age that a policy allows."""


FINDINGS_AT_ONCE = 2_000
"""Findings in one transaction, of the history and of the bare rows alike."""

ACCOUNTS_A_PAGE = 20
"""The most that ListAccounts gives at once (Organizations API reference)."""
_ACCOUNTS_FROM = "bench-accounts-"


@dataclass(frozen=True, slots=True)
class Workload:
    """One size of estate. Every target of it that has records has the same pages."""

    accounts: int
    regions: int
    pages: int
    """Pages a target."""
    records: int
    """Records a page; 0 for empty pages."""
    latency_ms: int = 0
    """Waited for before each answer, those of STS included."""
    joined: bool = False
    """Whether the policies about what became of the records judge too."""
    bare_regions: int = 0
    """Of the Regions, the last ones, which have one empty page each."""
    apart: int = 0
    """Of the accounts, the first ones, whose requests the server tells of apart."""
    throttled: bool = False
    """Whether these get no page, but are throttled at each request."""
    budget: float = 0.0
    """Requests a second that these are limited to; 0 for no limit."""

    @property
    def page_count(self) -> int:
        """Pages in the whole estate."""
        return self._full_pages + self.accounts * self.bare_regions

    @property
    def record_count(self) -> int:
        """Records in the whole estate."""
        return self._full_pages * self.records

    @property
    def finding_count(self) -> int:
        """Findings that the policies make of it; joined, one copy of each page is not encrypted."""
        return self._full_pages * (breaking(self.records) + (1 if self.joined and self.records else 0))

    @property
    def _full_pages(self) -> int:
        return self.accounts * (self.regions - self.bare_regions) * self.pages

    @property
    def alone(self) -> Workload:
        """The same pages for one account and one Region: hardly more than starting up."""
        return replace(self, accounts=1, regions=1, bare_regions=0)


def account_id(number: int) -> str:
    """Return the id of the account with this number, counted from 0."""
    return str(100_000_000_000 + number)


def account_page(token: str | None, accounts: int) -> bytes:
    """Return one page of an organisation's accounts as Organizations would answer it."""
    start = int(token.removeprefix(_ACCOUNTS_FROM)) if token else 0
    end = min(start + ACCOUNTS_A_PAGE, accounts)
    body: dict[str, Any] = {"Accounts": [_account(number) for number in range(start, end)]}
    if end < accounts:
        body["NextToken"] = f"{_ACCOUNTS_FROM}{end}"
    return json.dumps(body, separators=(",", ":")).encode()


def _account(number: int) -> dict[str, Any]:
    own = account_id(number)
    return {
        "Id": own,
        "Arn": f"arn:aws:organizations::999999999999:account/o-benchbench/{own}",
        "Email": f"bench-{number:04}@example.com",
        "Name": f"bench-{number:04}",
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": FIRST_EXPORT,
    }


def breaking(records: int) -> int:
    """Return how many of a page's records break a policy."""
    return round(records * BREAKING_SHARE)


def page_token(page: int) -> str:
    """Return the token that asks for this page, counted from 1."""
    return f"bench-page-{page}"


def page_body(page: int, pages: int, records: int) -> bytes:
    """Return one page as Lightsail would answer it, ARNs distinct over all pages of a target."""
    first = (page - 1) * records
    body: dict[str, Any] = {
        "exportSnapshotRecords": [record(first + at, at, records) for at in range(records)]
    }
    if page < pages:
        body["nextPageToken"] = page_token(page + 1)
    return json.dumps(body, separators=(",", ":")).encode()


def image_id(number: int) -> str:
    """Return the id of the image that a record became, by the record's number."""
    return f"ami-{number:017x}"


def snapshot_id(number: int) -> str:
    """Return the id of the snapshot that this image is made of."""
    return f"snap-{number:017x}"


def record(number: int, at: int, records: int) -> dict[str, Any]:
    """Return the record of this number in its target, at a place among the `records` of its page."""
    broken = breaking(records)
    # The shape and the lengths of AWS's example of GetExportSnapshotRecords in the CLI's reference.
    failed = at < broken // 2
    oversized = broken // 2 <= at < broken
    disks: list[dict[str, Any]] = [{"path": "/dev/sda1", "sizeInGb": 20, "isSystemDisk": True}]
    if oversized:
        disks.append({"name": f"Disk-{number}", "path": "/dev/xvdf", "sizeInGb": 2000, "isSystemDisk": False})
    told: dict[str, Any] = {
        "name": f"ExportSnapshotRecord-{_guid('name', number)}",
        "arn": _arn("ExportSnapshotRecord", number),
        "createdAt": FIRST_EXPORT + number * 3600,
        "location": {"availabilityZone": "all", "regionName": "us-west-2"},
        "resourceType": "ExportSnapshotRecord",
        "state": "Failed" if failed else "Succeeded",
        "sourceInfo": {
            "resourceType": "InstanceSnapshot",
            "createdAt": FIRST_EXPORT + number * 3600 - 600.25,
            "name": f"WordPress-{number}-1540339219",
            "arn": _arn("InstanceSnapshot", number),
            "fromResourceName": f"WordPress-{number}",
            "fromResourceArn": _arn("Instance", number),
            "instanceSnapshotInfo": {
                "fromBundleId": "nano_2_0",
                "fromBlueprintId": "wordpress_4_9_8",
                "fromDiskInfo": disks,
            },
        },
    }
    if not failed:
        told["destinationInfo"] = {"id": image_id(number), "service": "Aws::EC2::Image"}
    return told


def _arn(kind: str, number: int) -> str:
    return f"arn:aws:lightsail:us-west-2:111122223333:{kind}/{_guid(kind, number)}"


def _guid(kind: str, number: int) -> UUID:
    return UUID(int=int.from_bytes(kind.encode()[:8], "big") << 64 | number)
