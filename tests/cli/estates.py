"""Small estates that several tests of the command line are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from auditor.simulator.estate import Estate, generate


def three_accounts(**how: Any) -> Estate:
    """Return an estate of two Regions, one of them opt-in."""
    return generate(
        7,
        accounts=3,
        regions=("ap-southeast-3", "us-east-1"),
        now=datetime.now(UTC),
        records_per_target=2,
        **how,
    )


def changed(whole: Estate, number: int, **changes: Any) -> Estate:
    """Return the estate with other values in one account."""
    accounts = list(whole.accounts)
    accounts[number] = replace(accounts[number], **changes)
    return replace(whole, accounts=tuple(accounts))
