"""What the scripts beside the audit share: their arguments, their targets and their last line."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.estate import REGIONS, ROLE_NAME, account_id

if TYPE_CHECKING:
    from collections.abc import Iterator

CONCURRENCY = 64
"""Requests in flight, of the audit and of the asynchronous scripts."""

SESSION_NAME = "lightsail-export-audit"
EXTERNAL_ID = "bench"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a script is to read."""

    url: str
    accounts: int
    regions: int

    def targets(self) -> Iterator[tuple[str, str]]:
        """Yield every account id and Region."""
        for number in range(self.accounts):
            for region in REGIONS[: self.regions]:
                yield account_id(number), region


def plan() -> Plan:
    """Return the plan that the arguments `URL ACCOUNTS REGIONS …` give."""
    url, accounts, regions = sys.argv[1:4]
    return Plan(url, int(accounts), int(regions))


def role_arn(account: str) -> str:
    """Return the role that is assumed in an account."""
    return f"arn:aws:iam::{account}:role/{ROLE_NAME}"


def tell(pages: int, records: int) -> None:
    """Say what was read, for the benchmark to check."""
    sys.stdout.write(json.dumps({"pages": pages, "records": records}))
