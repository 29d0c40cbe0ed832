"""AWS Organizations: which accounts there are, in which organizational unit, and with which tags.

Source: AWS Organizations API reference. Pages may be empty and have others after them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from auditor.aws.clients import CALL_AS, CallAs
from auditor.aws.failures import CALL_ERRORS, EXPIRED_CODES, BadResponse, call_failed
from auditor.aws.hearing import Asked, heard
from auditor.aws.retrying import Retrying
from auditor.errors import CallFailed, OrganizationUnread
from auditor.model import (
    ASSUME_ROLE,
    LIST_ACCOUNTS,
    LIST_ACCOUNTS_OF_UNIT,
    LIST_ROOTS,
    LIST_TAGS,
    LIST_UNITS,
    Failure,
    Reason,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.aws.clients import Clients
    from auditor.aws.credentials import SessionCredentials
    from auditor.aws.roles import Roles
    from auditor.aws.slots import Slot
    from auditor.model import Account

log = structlog.get_logger()

_ACCOUNT_ID = re.compile("[0-9]{12}")

_CLOSED = frozenset({"SUSPENDED", "CLOSED"})
"""States in which nobody can get into an account (Organizations API reference, Account: State)."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the organisation."""

    id: str
    name: str | None
    state: str | None
    """`State` or, where AWS does not say it, the older `Status`."""

    @property
    def closed(self) -> bool:
        """Whether there is nothing to get into any more. One that is pending, or of an unknown state, is tried."""
        return self.state in _CLOSED


@dataclass(frozen=True, slots=True)
class Unit:
    """An organizational unit, or the root."""

    id: str
    path: str
    """The names from the root's on, joined by slashes."""
    within: tuple[str, ...]
    """The ids from the root's on, its own included."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of an organisation."""

    members: tuple[Member, ...]
    """In AWS's order, each once."""
    units: tuple[Unit, ...] = ()
    """Where they were asked for: a unit stands before those below it."""
    unit_of: Mapping[str, Unit] = field(default_factory=lambda: MappingProxyType({}))
    """Account id → where it is; for the units whose accounts were asked for."""
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Account id → its tags, where they were asked for."""
    units_unread: OrganizationUnread | None = None
    """Why the units are not known, where they were wanted but not needed."""


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation that lists something in pages."""

    action: str
    """As IAM names it."""
    method: str
    key: str
    """Where a page holds its list: a body without it is no page."""
    needed: tuple[str, ...]
    """What each item of the list has to say, as text."""


_ACCOUNTS = _Operation(LIST_ACCOUNTS, "list_accounts", "Accounts", ("Id",))
_ROOTS = _Operation(LIST_ROOTS, "list_roots", "Roots", ("Id", "Name"))
_UNITS = _Operation(LIST_UNITS, "list_organizational_units_for_parent", "OrganizationalUnits", ("Id", "Name"))
_ACCOUNTS_OF_UNIT = _Operation(LIST_ACCOUNTS_OF_UNIT, "list_accounts_for_parent", "Accounts", ("Id",))
_TAGS = _Operation(LIST_TAGS, "list_tags_for_resource", "Tags", ("Key", "Value"))


class OrganizationReader:
    """Reads the organisation, as the role of the lister or with the base credentials."""

    def __init__(
        self, clients: Clients, roles: Roles, lister: Account | None, request_timeout: float
    ) -> None:
        self._clients = clients
        self._roles = roles
        self._lister = lister
        self._timeout = request_timeout
        self.asking = LIST_ACCOUNTS
        """What an answer was last waited for, as IAM names it."""

    async def members(self, slot: Slot) -> tuple[Member, ...]:
        """Return every account.

        :raises OrganizationUnread: where not all of them could be read.
        """
        found: dict[str, Member] = {}
        for raw in await self._all(_ACCOUNTS, slot):
            found.setdefault(raw["Id"], Member(raw["Id"], _text(raw, "Name"), _state(raw)))
        return tuple(found.values())

    async def units(self, slot: Slot) -> tuple[Unit, ...]:
        """Return the roots and every unit below them, to any depth.

        :raises OrganizationUnread: where not all of them could be read.
        """
        found = {
            raw["Id"]: Unit(raw["Id"], raw["Name"], (raw["Id"],)) for raw in await self._all(_ROOTS, slot)
        }
        to_open = list(found.values())
        while to_open:
            parent = to_open.pop()
            for raw in await self._all(_UNITS, slot, ParentId=parent.id):
                if raw["Id"] in found:
                    text = f"the unit {raw['Id']} is said to be in two places"
                    raise OrganizationUnread(LIST_UNITS, Failure(Reason.BAD_RESPONSE, None, text))
                unit = Unit(raw["Id"], f"{parent.path}/{raw['Name']}", (*parent.within, raw["Id"]))
                found[unit.id] = unit
                to_open.append(unit)
        return tuple(found.values())

    async def members_of(self, unit: Unit, slot: Slot) -> list[str]:
        """Return the ids of the accounts that are in this unit itself.

        :raises OrganizationUnread: where not all of them could be read.
        """
        return [raw["Id"] for raw in await self._all(_ACCOUNTS_OF_UNIT, slot, ParentId=unit.id)]

    async def tags(self, account_id: str, slot: Slot) -> dict[str, str]:
        """Return the tags of an account.

        :raises OrganizationUnread: where not all of them could be read.
        """
        tags = await self._all(_TAGS, slot, ResourceId=account_id)
        return {raw["Key"]: raw["Value"] for raw in tags}

    async def _all(self, operation: _Operation, slot: Slot, **asked: str) -> list[dict[str, Any]]:
        """Return what is listed, each once. A token that is rejected begins the listing again, once."""
        items: dict[str, dict[str, Any]] = {}
        tokens: set[str] = set()
        restarted = False
        while True:
            try:
                answer = await self._page(operation, slot, asked)
            except CallFailed as failed:
                failure = failed.failure
                if "NextToken" in asked and failure.reason is Reason.INVALID_REQUEST:
                    if not restarted:
                        log.warning(
                            "page token rejected; begun again",
                            action=operation.action,
                            request_id=failed.request_id,
                        )
                        restarted = True
                        del asked["NextToken"]
                        # The listing as it is now: what it held before may have moved since.
                        items.clear()
                        tokens.clear()
                        continue
                    failure = Failure(Reason.PAGE_TOKEN_REJECTED, failure.error_code, failure.error_message)
                raise OrganizationUnread(operation.action, failure) from failed
            for item in answer[operation.key]:
                items.setdefault(item[operation.needed[0]], item)
            following: str | None = answer.get("NextToken") or None
            if following is None:
                return list(items.values())
            if following in tokens:
                text = f"page {len(tokens) + 1} names a page that was read before"
                raise OrganizationUnread(operation.action, Failure(Reason.PAGE_TOKEN_LOOP, None, text))
            tokens.add(following)
            asked["NextToken"] = following

    async def _page(self, operation: _Operation, slot: Slot, asked: Mapping[str, str]) -> dict[str, Any]:
        credentials = await self._credentials(slot)
        self.asking = operation.action
        retrying = Retrying(slot)
        try:
            return await retrying(self._ask, operation, asked, credentials)
        except CallFailed as failed:
            if credentials is None or self._lister is None or failed.failure.error_code not in EXPIRED_CODES:
                raise
            fresh = await self._roles.renew(self._lister, slot, stale=credentials)
            return await retrying(self._ask, operation, asked, fresh)

    async def _credentials(self, slot: Slot) -> SessionCredentials | None:
        if self._lister is None:
            return None
        self.asking = ASSUME_ROLE
        try:
            return await self._roles.credentials(self._lister, slot)
        except CallFailed as failed:
            raise OrganizationUnread(ASSUME_ROLE, failed.failure) from failed

    async def _ask(
        self, operation: _Operation, asked: Mapping[str, str], credentials: SessionCredentials | None
    ) -> dict[str, Any]:
        client = self._clients.organizations
        how: dict[str, Any] = dict(asked)
        secrets = [*self._clients.base_secrets, asked.get("NextToken")]
        if credentials is not None and self._lister is not None:
            how[CALL_AS] = CallAs(credentials, client.meta.region_name)
            secrets += [*credentials.secrets, self._lister.external_id]
        request = {name: value for name, value in asked.items() if name != "NextToken"}
        this = Asked(operation.action, None, None, request, asked.get("NextToken"))
        # A page token is no secret to what keeps answers: it stands in them.
        with heard(self._clients.recorder, this, [each for each in secrets if each != this.token]):
            try:
                with anyio.fail_after(self._timeout):
                    answer: dict[str, Any] = await getattr(client, operation.method)(**how)
                _prove_page(operation, answer)
            except CALL_ERRORS as error:
                raise call_failed(error, secrets) from error
        return answer


def _prove_page(operation: _Operation, answer: Mapping[str, Any]) -> None:
    """Take nothing for a page that does not say what it lists: an account of no id would be lost."""
    items = answer.get(operation.key)
    if not isinstance(items, list):
        raise BadResponse(f"an answer without the list {operation.key}")
    if not isinstance(answer.get("NextToken"), str | None):
        raise BadResponse("a NextToken that is no text")
    for item in items:
        for name in operation.needed:
            if not isinstance(item, dict) or not isinstance(item.get(name), str):
                raise BadResponse(f"{operation.key} with an entry that has no {name}")
        if operation.key == "Accounts" and not _ACCOUNT_ID.fullmatch(item["Id"]):
            raise BadResponse("an account whose Id is not twelve digits")


def _text(raw: Mapping[str, Any], key: str) -> str | None:
    value = raw.get(key)
    return value if isinstance(value, str) and value else None


def _state(raw: Mapping[str, Any]) -> str | None:
    # Status is the older name, and goes away (Organizations API reference, Account).
    return _text(raw, "State") or _text(raw, "Status")
