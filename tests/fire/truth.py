"""What is true of an estate, known without the audit: by what was planted there, and by judging its records again.

The second is for targets that were read in part: what was read are the first records of a target, and of these it is
said here, in a few lines that share nothing with the policies, what is found in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.simulator.estate import Estate

STALE, OVERSIZED, STUCK = "stale-failed-export", "oversized-disk", "stuck-export"
OF_RECORDS = frozenset({STALE, OVERSIZED, STUCK})
"""The policies that need nothing but the records."""
CONCLUDING = frozenset({STALE, "repeated-failure", "duplicate-export", "only-copy"})
"""The policies that conclude over all records of a target: of a part of them they may say what the rest would mend."""
SEVERE = frozenset({"critical", "high"})

RECORDS = "lightsail:GetExportSnapshotRecords"
AFTERWARDS = frozenset(
    {
        "ec2:DescribeImages",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
        "lightsail:GetCloudFormationStackRecords",
        "lightsail:GetDiskSnapshots",
        "lightsail:GetInstanceSnapshots",
        "lightsail:GetOperations",
    }
)
"""What is read beside the records, where an estate has what became of them."""

Finding = tuple[str, str, str, str]
"""Policy, account, Region, ARN of the record."""
Place = tuple[str, str]
"""Account and Region."""
_DAY = 86_400


def planned(estate: Estate) -> set[tuple[str, str, str]]:
    """Return every target of a run over all of it: source, account, Region."""
    afterlife = any(account.afterlife for account in estate.accounts)
    sources = {RECORDS} | (AFTERWARDS if afterlife else set())
    return {
        (source, account.id, region)
        for source in sources
        for account in estate.accounts
        for region in estate.regions
    }


def records_of(estate: Estate, place: Place) -> Sequence[dict[str, Any]]:
    """Return the records of an account and Region, in the order in which they are paged."""
    (account,) = (account for account in estate.accounts if account.id == place[0])
    return account.records.get(place[1], ())


def planted(estate: Estate, place: Place) -> set[Finding]:
    """Return what was planted in an account and Region."""
    return {
        (each.policy, each.account_id, each.region, each.resource_arn)
        for each in estate.truth
        if (each.account_id, each.region) == place
    }


def unjudgeable(estate: Estate, place: Place) -> dict[str, int]:
    """Return how many records of an account and Region no policy can judge, by policy."""
    counts: dict[str, int] = {}
    for each in estate.unjudgeable:
        if (each.account_id, each.region) == place:
            counts[each.policy] = counts.get(each.policy, 0) + 1
    return counts


def judged(records: Sequence[dict[str, Any]], place: Place, now: float) -> set[Finding]:
    """Return what the policies of records find in these, at their default settings.

    :param now: seconds since the epoch.
    """
    found: set[Finding] = set()
    for record in records:
        created, state = record.get("createdAt"), record.get("state")
        told = [OVERSIZED] if any(size > 640 for size in _sizes(record)) else []
        if isinstance(created, (int, float)):
            if state == "Started" and now - created > _DAY:
                told.append(STUCK)
            if state == "Failed" and now - created > 3 * _DAY and not _made_good(record, records):
                told.append(STALE)
        found |= {(policy, *place, record["arn"]) for policy in told}
    return found


def _sizes(record: dict[str, Any]) -> Iterable[float]:
    source = record.get("sourceInfo", {})
    disks = [
        source.get("diskSnapshotInfo", {}),
        *source.get("instanceSnapshotInfo", {}).get("fromDiskInfo", []),
    ]
    return [disk["sizeInGb"] for disk in disks if "sizeInGb" in disk]


def _made_good(failed: dict[str, Any], records: Sequence[dict[str, Any]]) -> bool:
    source = failed.get("sourceInfo", {}).get("arn")
    return source is not None and any(
        other.get("state") == "Succeeded"
        and other.get("sourceInfo", {}).get("arn") == source
        and isinstance(other.get("createdAt"), (int, float))
        and other["createdAt"] > failed["createdAt"]
        for other in records
    )
