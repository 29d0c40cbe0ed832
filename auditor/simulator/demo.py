"""The estate of `auditor demo`: small, and with a little of everything that happens at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.simulator.estate import Estate, generate
from auditor.simulator.faults import Fault, FaultKind

if TYPE_CHECKING:
    from datetime import datetime

SEED = 20_161_128
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-3")
"""The last one is opt-in, and one account has not enabled it."""


def demo_estate(now: datetime) -> tuple[Estate, tuple[Fault, ...]]:
    """Return an estate of six accounts and what goes wrong in it.

    Findings of each policy; a throttled target and a body cut short that retries survive; a token loop; a target
    and a role that are refused; a Region that is not enabled; an account that is still being set up.
    Nothing in it is retried for more than a few seconds.

    :param now: aware; the records are dated back from it.
    """
    estate = generate(
        SEED,
        accounts=6,
        regions=REGIONS,
        now=now,
        records_per_target=12,
        page_size=5,
        planted=0.3,
        afterlife=True,
    )
    throttled, cut, odd, new, closed, _ = (account.id for account in estate.accounts)
    return estate, (
        Fault(FaultKind.THROTTLE, throttled, "us-west-2", times=2),
        Fault(FaultKind.CUT_BODY, cut, "eu-west-1", page=2, times=1),
        Fault(FaultKind.TOKEN_LOOP, odd, "us-east-1"),
        Fault(FaultKind.ACCESS_DENIED, odd, "eu-central-1"),
        Fault(FaultKind.ACCOUNT_SETUP_IN_PROGRESS, new),
        Fault(FaultKind.ACCESS_DENIED, closed, operation="AssumeRole"),
    )
