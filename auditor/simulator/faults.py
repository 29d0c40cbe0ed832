"""How the estate can be told to misbehave, and the count of how often it did."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GET_RECORDS = "GetExportSnapshotRecords"
LISTED_BY_LIGHTSAIL = frozenset(
    {
        GET_RECORDS,
        "GetOperations",
        "GetCloudFormationStackRecords",
        "GetInstanceSnapshots",
        "GetDiskSnapshots",
    }
)
LISTED_BY_EC2 = frozenset({"DescribeImages", "DescribeSnapshots", "DescribeVolumes"})
"""The operations that answer in pages."""
LIST_REGIONS = "ListRegions"
"""Of AWS Account Management."""


ORGANIZATION_OPERATIONS = frozenset(
    {
        "ListAccounts",
        "ListRoots",
        "ListOrganizationalUnitsForParent",
        "ListAccountsForParent",
        "ListTagsForResource",
    }
)


class FaultKind(StrEnum):
    """What goes wrong."""

    THROTTLE = "throttle"
    """ThrottlingException, "Rate exceeded"; STS says Throttling."""
    SERVICE_ERROR = "service-error"
    """500 or, with `status`, 503."""
    LATENCY = "latency"
    """The answer comes `seconds` later; other faults may strike too."""
    HANG = "hang"
    """No answer until the client or the server goes."""
    RESET = "reset"
    """The connection is reset without an answer."""
    CUT_BODY = "cut-body"
    """Less than Content-Length says, then the connection ends."""
    SLOW_BODY = "slow-body"
    """The body comes in many small pieces, the last of them `seconds` after the first."""
    STALLED_BODY = "stalled-body"
    """Half of the body, and then nothing until the client or the server goes."""
    CUT_JSON = "cut-json"
    """Valid HTTP, but half of the body's text (XML for STS)."""
    NOT_JSON = "not-json"
    """200 with a proxy's HTML page."""
    NOT_UTF8 = "not-utf8"
    """200 with bytes that are no UTF-8."""
    SPOILED_BYTE = "spoiled-byte"
    """One byte is NUL, which neither JSON nor XML allows anywhere: of what a network can do to a body, what shows."""
    MISSING_KEY = "missing-key"
    """200 `{}`: no exportSnapshotRecords, or whatever the list is called; EC2's XML without its set."""
    EMPTY_PAGE = "empty-page"
    """An empty page with a token comes before the page."""
    TOKEN_LOOP = "token-loop"  # noqa: S105 -- a kind, not a secret
    """From `page` on, its token leads to A, A's to B, and B's to A."""
    TOKEN_REJECTED = "token-rejected"  # noqa: S105 -- a kind, not a secret
    """InvalidInputException in answer to a request with a token, of which Organizations says why; EC2 says
    InvalidPaginationToken."""
    EXPIRED = "expired"
    ACCESS_DENIED = "access-denied"
    UNAUTHENTICATED = "unauthenticated"
    UNRECOGNIZED_CLIENT = "unrecognized-client"
    NOT_FOUND = "not-found"
    INVALID_INPUT = "invalid-input"
    OPERATION_FAILURE = "operation-failure"
    ACCOUNT_SETUP_IN_PROGRESS = "account-setup-in-progress"
    REGION_SETUP_IN_PROGRESS = "region-setup-in-progress"
    OPT_IN_REQUIRED = "opt-in-required"
    REQUEST_EXPIRED = "request-expired"
    INVALID_SIGNATURE = "invalid-signature"
    WRONG_ACCOUNT = "wrong-account"
    """AssumeRole gives credentials of another account, which its AssumedRoleUser names."""
    UNASKED = "unasked"
    """EC2 adds things to its answer that nobody asked for, one of which stands nowhere."""
    FEWER = "fewer"
    """EC2 leaves half of its answer out, and says nothing of it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; None for any account, Region, operation or page."""

    kind: FaultKind
    account: str | None = None
    """For AssumeRole, the account of the role."""
    region: str | None = None
    """The Region that the request was signed for: for STS, wherever the client calls it."""
    operation: str | None = GET_RECORDS
    """Other operations, STS's among them, are struck only where they are named, or with None."""
    page: int | None = None
    """Counted from 1 in the target. A page of STS is 1."""
    times: int | None = None
    """How often it strikes for each account, Region and operation; None for always."""
    spares: int = 0
    """How many calls it lets by first, for each of these."""
    begins: float = 0.0
    """Seconds after the first request before which it does not strike."""
    ends: float | None = None
    """Seconds after the first request from which it strikes no more; None for never."""
    seconds: float = 0.0
    """For LATENCY and SLOW_BODY."""
    above: float | None = None
    """For THROTTLE: it strikes only what comes faster than so many requests a second, one second's worth saved up."""
    status: int = 500
    """For SERVICE_ERROR: 500 or 503."""
    to_account: str | None = None
    """For WRONG_ACCOUNT: whose credentials come; another account of the estate, where None."""

    def __post_init__(self) -> None:
        if self.kind is FaultKind.WRONG_ACCOUNT and self.operation != "AssumeRole":
            raise ValueError("wrong-account strikes AssumeRole: say so with operation='AssumeRole'")
        if self.above is not None and self.kind is not FaultKind.THROTTLE:
            raise ValueError(f"above is said of throttle, and not of {self.kind}")
        struck = _STRUCK.get(self.kind)
        if struck is not None and self.operation not in struck:
            raise ValueError(
                f"{self.kind} strikes {', '.join(sorted(struck))} only, and not {self.operation}"
            )


_OF_EVERY_LIST = frozenset({FaultKind.MISSING_KEY, FaultKind.EMPTY_PAGE, FaultKind.TOKEN_LOOP})
"""Kinds that Organizations and ListRegions have an answer for, beside those of every service."""

RECORDS_ONLY = frozenset(
    {
        FaultKind.MISSING_KEY,
        FaultKind.EMPTY_PAGE,
        FaultKind.TOKEN_LOOP,
        FaultKind.TOKEN_REJECTED,
        FaultKind.NOT_FOUND,
        FaultKind.INVALID_INPUT,
        FaultKind.OPERATION_FAILURE,
        FaultKind.ACCOUNT_SETUP_IN_PROGRESS,
        FaultKind.REGION_SETUP_IN_PROGRESS,
    }
)
"""Kinds that STS has no answer for."""

_LIGHTSAIL_ONLY = frozenset(
    {
        FaultKind.NOT_FOUND,
        FaultKind.OPERATION_FAILURE,
        FaultKind.ACCOUNT_SETUP_IN_PROGRESS,
        FaultKind.REGION_SETUP_IN_PROGRESS,
    }
)
_EC2_ONLY = frozenset({FaultKind.UNASKED, FaultKind.FEWER})
_STRUCK = {
    **dict.fromkeys(RECORDS_ONLY - _LIGHTSAIL_ONLY, LISTED_BY_LIGHTSAIL | LISTED_BY_EC2),
    **dict.fromkeys(
        _OF_EVERY_LIST, LISTED_BY_LIGHTSAIL | LISTED_BY_EC2 | ORGANIZATION_OPERATIONS | {LIST_REGIONS}
    ),
    FaultKind.TOKEN_REJECTED: LISTED_BY_LIGHTSAIL | LISTED_BY_EC2 | ORGANIZATION_OPERATIONS,
    **dict.fromkeys(_LIGHTSAIL_ONLY, LISTED_BY_LIGHTSAIL),
    **dict.fromkeys(_EC2_ONLY, LISTED_BY_EC2),
}
"""The operations that a kind can strike; any, where it is not here."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a request asks for, as faults are aimed."""

    account: str
    region: str
    operation: str
    page: int = 1
    has_token: bool = False
    after_empty: bool = False
    """Whether the token was that of an empty page put in before this one."""


class Faults:
    """The faults of one server, and how often each has struck."""

    def __init__(self, faults: Iterable[Fault], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none that has struck.

        :param clock: seconds, from wherever it likes.
        """
        self._faults = tuple(faults)
        self._struck: Counter[tuple[int, str, str, str]] = Counter()
        self._clock = clock
        self._began: float | None = None
        """When the first request came."""
        self._saved: dict[tuple[int, str, str, str], tuple[float, float]] = {}
        """What may come yet, of each fault that strikes what comes too fast, and when that was so."""

    def strike(self, place: Place) -> tuple[float, Fault | None]:
        """Return the seconds to wait, and the first other fault that strikes; count both."""
        seconds = 0.0
        if self._began is None:
            self._began = self._clock()
        age = self._clock() - self._began
        for number, fault in enumerate(self._faults):
            key = (number, place.account, place.region, place.operation)
            last = None if fault.times is None else fault.spares + fault.times
            if not _aims_at(fault, place) or (last is not None and self._struck[key] >= last):
                continue
            if age < fault.begins or (fault.ends is not None and age >= fault.ends):
                continue
            if fault.above is not None and self._allowed(key, fault.above):
                continue
            self._struck[key] += 1
            if self._struck[key] <= fault.spares:
                continue
            if fault.kind is not FaultKind.LATENCY:
                return seconds, fault
            seconds += fault.seconds
        return seconds, None

    def _allowed(self, key: tuple[int, str, str, str], rate: float) -> bool:
        """Say whether a request comes no faster than `rate` a second, and count it then, as EC2's token buckets do."""
        now, most = self._clock(), max(1.0, rate)
        saved, at = self._saved.get(key, (most, now))
        saved = min(most, saved + (now - at) * rate)
        allowed = saved >= 1.0
        self._saved[key] = (saved - allowed, now)
        return allowed


def _aims_at(fault: Fault, place: Place) -> bool:
    if fault.account not in (None, place.account) or fault.region not in (None, place.region):
        return False
    if fault.operation not in (None, place.operation):
        return False
    match fault.kind:
        case FaultKind.TOKEN_LOOP:
            return place.page >= (fault.page or 1)
        case FaultKind.TOKEN_REJECTED if not place.has_token:
            return False
        case FaultKind.EMPTY_PAGE if place.after_empty:
            return False
    return fault.page in (None, place.page)
