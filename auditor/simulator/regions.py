"""AWS Account Management: ListRegions, an account's own word on which Regions it has enabled.

Source: AWS Account Management API reference, ListRegions. It is a REST service: the operation stands in the path.
Told of are the Regions of Lightsail and those of the estate; the rest of AWS's are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from auditor.simulator.answers import ACCOUNT, REST_JSON, Answer, ApiError, json_object
from auditor.simulator.faults import LIST_REGIONS, FaultKind
from auditor.simulator.lightsail import regions_of_botocore
from auditor.simulator.misbehaviour import error_for
from auditor.simulator.tokens import EMPTY, FIRST_PAGE, PageAsked, looped, page_of, token_for

if TYPE_CHECKING:
    from auditor.simulator.estate import Estate, SimAccount
    from auditor.simulator.faults import Fault

PATHS: Final = {"/listRegions": LIST_REGIONS}
"""What is simulated of the service, by the path that is posted to."""
STATUSES = frozenset({"ENABLED", "ENABLING", "DISABLING", "DISABLED", "ENABLED_BY_DEFAULT"})
MOST_RESULTS = 50
PAGE_SIZE = 10
"""Regions a page where none is asked for: what AWS takes then is not documented."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    page: PageAsked
    statuses: frozenset[str]
    """The only ones that are asked for."""
    size: int


def asked(body: bytes, account: SimAccount, estate: Estate) -> Asked | ApiError:
    """Return what the body of a request asks for, or the error that AWS answers with."""
    given = json_object(body)
    if isinstance(given, ApiError):
        return given
    if "AccountId" in given:
        # Left to the management account and delegated administrators; nobody here is trusted with it.
        message = f"User: {account.role_arn} is not authorized to perform: account:{LIST_REGIONS} on another account"
        return ApiError("AccessDeniedException", message, 403)
    statuses, size = (
        given.get("RegionOptStatusContains", sorted(STATUSES)),
        given.get("MaxResults", PAGE_SIZE),
    )
    if not isinstance(statuses, list) or not STATUSES.issuperset(map(str, statuses)):
        return _invalid("regionOptStatusContains", f"Member must satisfy enum value set: {sorted(STATUSES)}")
    if type(size) is not int or not 1 <= size <= MOST_RESULTS:
        return _invalid("maxResults", f"Member must have value between 1 and {MOST_RESULTS}")
    page, token = FIRST_PAGE, given.get("NextToken")
    if token is not None:
        found = page_of(_listing(account, estate, frozenset(statuses), size), str(token))
        if found is None:
            return _invalid("nextToken", "The token is not valid")
        page = found
    return Asked(page, frozenset(statuses), size)


def answer(
    asked: Asked, account: SimAccount, estate: Estate, caller_arn: str, fault: Fault | None
) -> Answer | ApiError:
    """Answer a request that an account makes of itself."""
    error = error_for(fault, ACCOUNT, caller_arn, "*", LIST_REGIONS)
    if error is not None:
        return error
    listing = _listing(account, estate, asked.statuses, asked.size)
    number = asked.page.number
    if fault is not None and fault.kind is FaultKind.MISSING_KEY:
        return Answer(200, REST_JSON, b"{}")
    if fault is not None and fault.kind is FaultKind.EMPTY_PAGE:
        return _answer([], token_for(listing, number, EMPTY))
    told = [
        {"RegionName": region, "RegionOptStatus": status}
        for region in sorted({*estate.regions, *regions_of_botocore()})
        for status in [account.status_of(region)]
        if status in asked.statuses
    ]
    start = (number - 1) * asked.size
    following = number + 1 if start + asked.size < len(told) else None
    if fault is not None and fault.kind is FaultKind.TOKEN_LOOP:
        following = looped(number, fault.page)
    return _answer(
        told[start : start + asked.size], None if following is None else token_for(listing, following)
    )


def _answer(told: list[dict[str, str]], token: str | None) -> Answer:
    content: dict[str, object] = {"Regions": told}
    if token is not None:
        content["NextToken"] = token
    return Answer(200, REST_JSON, orjson.dumps(content))


def _invalid(member: str, constraint: str) -> ApiError:
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}",
    )


def _listing(account: SimAccount, estate: Estate, statuses: frozenset[str], size: int) -> str:
    return f"{estate.seed}/{LIST_REGIONS}/{account.id}/{size}/{','.join(sorted(statuses))}"
