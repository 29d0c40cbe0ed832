"""What to do about a call that failed for another reason than what is allowed to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model import Reason

if TYPE_CHECKING:
    from auditor.model import Failure


def fix_elsewhere(failure: Failure) -> str:
    """Say what to do, outside of the roles and their policies."""
    match failure.reason:
        case Reason.CLOCK_SKEW:
            return "set this machine's clock"
        case Reason.EXPIRED_CREDENTIALS:
            return "sign in again: the base credentials have ended"
        case Reason.NETWORK_ERROR | Reason.TIMEOUT | Reason.BAD_RESPONSE:
            return "look at the network, proxy and endpoint between here and AWS"
        case _:
            return "try again later; where it stays, tell AWS's support"
