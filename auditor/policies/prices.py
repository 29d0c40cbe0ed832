"""What storing EBS snapshots costs, estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import Cost, Known, stored_gb

if TYPE_CHECKING:
    from auditor.model import ExportRecord

PRICE_SOURCE = "https://aws.amazon.com/ebs/pricing/ (us-east-1)"
PRICE_DATE = "2026-11-23"
USD_PER_GB_MONTH = {"standard": 0.05, "archive": 0.0125}
"""By the snapshot's storage tier. Other Regions cost more or less, so that this is an estimate everywhere else."""


def storage_cost(record: ExportRecord) -> Cost | None:
    """Return what the copy's EBS snapshots cost each month at the most; None where EC2 does not say enough."""
    snapshots = record.facts.snapshots
    if not isinstance(snapshots, Known):
        return None
    total = 0.0
    parts = []
    for tier, price in USD_PER_GB_MONTH.items():
        of_tier = [each for each in snapshots.value if each.tier == tier]
        gigabytes = stored_gb(of_tier)
        if gigabytes is None:
            return None
        if of_tier:
            total += gigabytes * price
            parts.append(f"{gigabytes:.2f} GB in the {tier} tier at ${price:g} a GB-month")
    if not parts or any(each.tier not in USD_PER_GB_MONTH for each in snapshots.value):
        return None
    basis = f"At most, since blocks shared with other snapshots are billed once: {' and '.join(parts)}."
    return Cost(round(total, 2), basis, PRICE_SOURCE, PRICE_DATE)
