"""AWS Organizations: a root, its units nested as deep as one likes, and accounts with tags; paged.

Source: AWS Organizations API reference. Only the management account and delegated administrators may list.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auditor.simulator.answers import ORGANIZATIONS, Answer, ApiError, json_answer, json_object
from auditor.simulator.faults import ORGANIZATION_OPERATIONS, Fault, FaultKind
from auditor.simulator.misbehaviour import error_for
from auditor.simulator.tokens import EMPTY, FIRST_PAGE, PageAsked, looped, page_of, token_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.simulator.keys import Key

TARGET_PREFIX = "AWSOrganizationsV20161128."

_DENIED = ApiError("AccessDeniedException", "You don't have permissions to access this resource.")
_NOT_IN_USE = ApiError(
    "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."
)
_THROTTLED = ApiError("TooManyRequestsException", "Rate exceeded")
# Organizations API reference, InvalidInputException.
_INVALID_TOKEN = ApiError(
    "InvalidInputException", "You provided an invalid token.", reason="INVALID_NEXT_TOKEN"
)


@dataclass(frozen=True, slots=True)
class SimUnit:
    """An organizational unit."""

    id: str
    name: str
    parent: str
    """The id of the unit above it, or of the root."""


@dataclass(frozen=True, slots=True)
class SimMember:
    """An account as the organisation knows it."""

    id: str
    name: str
    parent: str
    """The id of the unit that it is in, or of the root."""
    state: str | None = "ACTIVE"
    old_style: bool = False
    """Whether AWS says `Status` alone, as it did before there was `State`."""
    tags: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, object]:
        """Return it as ListAccounts does."""
        said: dict[str, object] = {"Id": self.id, "Name": self.name, "JoinedMethod": "CREATED"}
        if self.state is not None:
            said["Status"] = self.state
            if not self.old_style:
                said["State"] = self.state
                # The older field knows neither of these (Organizations API reference, Account: Status).
                said["Status"] = {"PENDING_ACTIVATION": "ACTIVE", "CLOSED": "SUSPENDED"}.get(
                    self.state, self.state
                )
        return said


@dataclass(frozen=True, slots=True)
class SimOrganization:
    """An organisation."""

    management: str
    """The account that may list."""
    members: tuple[SimMember, ...]
    units: tuple[SimUnit, ...] = ()
    delegated: frozenset[str] = frozenset()
    """Accounts that may list as well."""
    root: str = "r-ab12"
    root_name: str = "Root"
    page_size: int = 20
    """Organizations API reference, ListAccounts: MaxResults, at most 20."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    operation: str
    subject: str
    """The parent, or the account whose tags are asked for; empty where there is none."""
    page: PageAsked

    @property
    def listing(self) -> str:
        """What tells the tokens of its pages from those of all others."""
        return f"{self.operation}/{self.subject}"


def asked(operation: str, body: bytes) -> Asked | ApiError:
    """Return what is asked for, or the error that AWS answers with."""
    if operation not in ORGANIZATION_OPERATIONS:
        return ApiError("UnknownOperationException", "The operation is not simulated.")
    given = json_object(body)
    if isinstance(given, ApiError):
        return given
    subject = given.get("ParentId") or given.get("ResourceId") or ""
    token = given.get("NextToken")
    first = Asked(operation, subject, FIRST_PAGE)
    if token is None:
        return first
    page = page_of(first.listing, str(token))
    return _INVALID_TOKEN if page is None else replace(first, page=page)


_ITS_OWN_WORDS = {FaultKind.THROTTLE: _THROTTLED, FaultKind.TOKEN_REJECTED: _INVALID_TOKEN}
"""What Organizations says otherwise than others do."""


def answer(
    organization: SimOrganization | None, asked: Asked, caller: Key, fault: Fault | None
) -> Answer | ApiError:
    """Answer a request of `caller`."""
    if fault is not None and fault.kind in _ITS_OWN_WORDS:
        return _ITS_OWN_WORDS[fault.kind]
    if fault is not None and fault.kind is FaultKind.ACCESS_DENIED:
        action = f"organizations:{asked.operation}"
        return ApiError(
            "AccessDeniedException",
            f"User: {caller.arn} is not authorized to perform: {action} on resource: *",
        )
    error = error_for(fault, ORGANIZATIONS, caller.arn, "*")
    if error is not None:
        return error
    if organization is None:
        return _NOT_IN_USE
    if caller.account_id not in {organization.management, *organization.delegated}:
        return _DENIED
    found = _found(organization, asked)
    return found if isinstance(found, ApiError) else _page(organization, asked, *found, fault)


def _page(
    organization: SimOrganization,
    asked: Asked,
    key: str,
    items: Sequence[Mapping[str, object]],
    fault: Fault | None,
) -> Answer:
    size, number = organization.page_size, asked.page.number
    if fault is not None and fault.kind is FaultKind.EMPTY_PAGE:
        return json_answer({key: [], "NextToken": token_for(asked.listing, number, EMPTY)})
    start = (number - 1) * size
    following = number + 1 if start + size < len(items) else None
    if fault is not None and fault.kind is FaultKind.TOKEN_LOOP:
        following = looped(number, fault.page)
    content: dict[str, object] = {key: list(items[start : start + size])}
    if following is not None:
        content["NextToken"] = token_for(asked.listing, following)
    return json_answer(content)


def _found(  # noqa: PLR0911 -- one for each operation
    organization: SimOrganization, asked: Asked
) -> tuple[str, Sequence[Mapping[str, object]]] | ApiError:
    """Return the key and all items of what is asked for."""
    parents = {organization.root, *(unit.id for unit in organization.units)}
    match asked.operation:
        case "ListAccounts":
            return "Accounts", [member.described() for member in organization.members]
        case "ListRoots":
            return "Roots", [{"Id": organization.root, "Name": organization.root_name, "PolicyTypes": []}]
        case "ListTagsForResource":
            member = next((one for one in organization.members if one.id == asked.subject), None)
            if member is None:
                return ApiError("TargetNotFoundException", "You specified a target that doesn't exist.")
            return "Tags", [{"Key": key, "Value": value} for key, value in member.tags.items()]
        case _ if asked.subject not in parents:
            return ApiError("ParentNotFoundException", "You specified parent that doesn't exist.")
        case "ListAccountsForParent":
            within = [member.described() for member in organization.members if member.parent == asked.subject]
            return "Accounts", within
        case _:
            units = [unit for unit in organization.units if unit.parent == asked.subject]
            return "OrganizationalUnits", [{"Id": unit.id, "Name": unit.name} for unit in units]
