"""What became of a target: a verdict, and where it is not complete, the reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.acceptance import Accepted


class Verdict(StrEnum):
    """How a target ended; each ends in exactly one."""

    COMPLETE = "complete"
    """Read to its last page."""
    PARTIAL = "partial"
    """Some pages, then a failure: what was read was audited."""
    FAILED = "failed"
    """Nothing could be read."""
    SKIPPED = "skipped"
    """There is nothing to read, and that is proved."""


class Reason(StrEnum):
    """Why a target is not complete. Values may be added: a reader takes an unknown one for a failure."""

    ROLE_NOT_ASSUMABLE = "role-not-assumable"
    WRONG_ACCOUNT = "wrong-account"
    ACCESS_DENIED = "access-denied"
    UNAUTHENTICATED = "unauthenticated"
    REGION_NOT_ENABLED = "region-not-enabled"
    ACCOUNT_SUSPENDED = "account-suspended"
    ACCOUNT_SETUP_IN_PROGRESS = "account-setup-in-progress"
    REGION_SETUP_IN_PROGRESS = "region-setup-in-progress"
    NOT_FOUND = "not-found"
    INVALID_REQUEST = "invalid-request"
    THROTTLED = "throttled"
    SERVICE_ERROR = "service-error"
    NETWORK_ERROR = "network-error"
    BAD_RESPONSE = "bad-response"
    PAGE_TOKEN_LOOP = "page-token-loop"  # noqa: S105 -- a reason, not a secret
    PAGE_TOKEN_REJECTED = "page-token-rejected"  # noqa: S105 -- a reason, not a secret
    EXPIRED_CREDENTIALS = "expired-credentials"
    CLOCK_SKEW = "clock-skew"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    DEPENDENCY_FAILED = "dependency-failed"
    """What says which ids to ask for could not be read."""
    WORKER_LOST = "worker-lost"
    """The process that audited it died, twice; or there was none left."""
    NOT_RECORDED = "not-recorded"
    """Of a replay: the evidence holds no answer to what was asked."""
    INTERNAL_ERROR = "internal-error"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be read, in a form that can be shown: no secret stands in it."""

    reason: Reason
    error_code: str | None = None
    """AWS's own code, where AWS answered."""
    error_message: str | None = None
    """AWS's own text, or the client's; hostile, so escaped wherever it is shown."""


@dataclass(slots=True)
class Outcome:
    """What was done for one target, counted while it is done and given a verdict at its end."""

    verdict: Verdict | None = None
    failure: Failure | None = None
    accepted: Accepted | None = None
    """Who has accepted that it could not be read: the verdict stays what it is."""
    unjudged: Mapping[str, int] | None = None
    """Policy → number of records that it could not judge; None where there are none."""
    pages: int = 0
    """Valid pages, those of a restart included."""
    records: int = 0
    """Distinct ones, by ARN."""
    requests: int = 0
    """Calls of the target's own source, retries included."""
    retries: int = 0
    throttles: int = 0
    """Answers by which AWS asked for fewer calls."""
    duration_s: float = 0.0
