"""Which accounts a run has: the list's, and those that AWS Organizations says there are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import structlog

from auditor.audit.fixes import fix_elsewhere
from auditor.aws.organizations import OrganizationReader, Reading
from auditor.aws.slots import Slot
from auditor.errors import OrganizationUnread, UsageError
from auditor.inventory import choose, listed
from auditor.inventory.accounts import unit_named
from auditor.model import Failure, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.aws.clients import Clients
    from auditor.aws.organizations import Member, Unit
    from auditor.aws.roles import Roles
    from auditor.config import Config, Organization
    from auditor.inventory import Inventory

log = structlog.get_logger()

_NOT_IN_USE = "AWSOrganizationsNotInUseException"
"""The account that asks is in no organisation (Organizations API reference, ListAccounts)."""
_TAGS_AT_ONCE = 4
"""Accounts whose tags are asked for at once: Organizations allows a whole organisation but a few calls a second."""


async def find_accounts(  # noqa: PLR0913 -- what calls are made with, and until when
    config: Config,
    clients: Clients,
    roles: Roles,
    *,
    caller: str | None,
    places: anyio.Semaphore,
    request_timeout: float,
    give_up_at: float,
    with_units: bool = False,
) -> Inventory:
    """Return the accounts of the list and of the organisation.

    An organisation that can't be read is a gap beside a list, and the end where there is none.

    :param caller: the ARN of the base credentials, where it is known.
    :param give_up_at: when to wait no longer, on the event loop's clock.
    :param with_units: whether to find out where each account is, even where no filter needs it.
    :raises UsageError: where nothing is known of the accounts, or a filter matches nothing.
    """
    organization = config.organization
    if organization is None:
        return listed(config)
    reader = OrganizationReader(clients, roles, organization.lister(), request_timeout)
    try:
        with _ends_at(give_up_at, reader):
            reading = await _read(reader, organization, places, with_units=with_units)
    except OrganizationUnread as unread:
        told = _told(unread, organization, caller)
        if not config.accounts:
            raise UsageError(f"{shown(config.path)}:{organization.line}: {told}") from unread
        log.warning("the organization is not read; the list is audited alone", why=told)
        asked_as = organization.role_arn or caller
        return listed(config, unread, asked_as.split(":")[4] if asked_as else None)
    return choose(config, reading)


@contextmanager
def _ends_at(deadline: float, reader: OrganizationReader) -> Iterator[None]:
    with anyio.CancelScope(deadline=deadline) as waiting:
        yield
    if waiting.cancelled_caught:
        over = Failure(Reason.DEADLINE, None, "the run's deadline was over")
        raise OrganizationUnread(reader.asking, over)


async def _read(
    reader: OrganizationReader, organization: Organization, places: anyio.Semaphore, *, with_units: bool
) -> Reading:
    filters = (*organization.include, *organization.exclude)
    of_units = [one for one in filters if one.kind == "ous"]
    async with Slot(places) as slot:
        members = await reader.members(slot)
        units: tuple[Unit, ...] = ()
        unit_of: dict[str, Unit] = {}
        units_unread: OrganizationUnread | None = None
        try:
            if of_units or with_units:
                units = await reader.units(slot)
                named = {unit.id for one in of_units if (unit := unit_named(one, units))}
                for unit in units:
                    if with_units or named.intersection(unit.within):
                        unit_of |= dict.fromkeys(await reader.members_of(unit, slot), unit)
        except OrganizationUnread as unread:
            if of_units:
                raise
            units_unread = unread
    tags: Mapping[str, Mapping[str, str]] = {}
    if any(one.kind == "tags" for one in filters):
        tags = await _tags(reader, members, places)
    return Reading(members, units, unit_of, tags, units_unread)


async def _tags(
    reader: OrganizationReader, members: Iterable[Member], places: anyio.Semaphore
) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = {}
    failed: list[OrganizationUnread] = []
    waiting = iter(members)

    async def work() -> None:
        async with Slot(places) as slot:
            for member in waiting:
                try:
                    tags[member.id] = await reader.tags(member.id, slot)
                except OrganizationUnread as unread:
                    failed.append(unread)
                    group.cancel_scope.cancel()
                    return

    async with anyio.create_task_group() as group:
        for _ in range(_TAGS_AT_ONCE):
            group.start_soon(work)
    if failed:
        raise failed[0]
    return tags


def _told(unread: OrganizationUnread, organization: Organization, caller: str | None) -> str:
    """Say what could not be read, and what would let it be."""
    failure = unread.failure
    said = ": ".join(filter(None, (failure.error_code, failure.error_message)))
    told = f"the organization can't be read: {unread.action}: {failure.reason}" + (
        f" ({said})" if said else ""
    )
    fix = how_to_read(unread, organization, caller)
    return f"{told}; {fix}"


def how_to_read(unread: OrganizationUnread, organization: Organization, caller: str | None) -> str:
    """Say what would let the organisation be read."""
    if unread.failure.error_code == _NOT_IN_USE:
        return "name a role of the management account with role_arn, or list the accounts without an organization"
    match unread.failure.reason:
        case Reason.ROLE_NOT_ASSUMABLE:
            hub = organization.hub
            by = hub.role_arn if hub is not None else caller or "the base credentials"
            return f"let {shown(by)} assume {organization.role_arn}"
        case Reason.ACCESS_DENIED:
            who = organization.role_arn or caller or "the base credentials"
            return (
                f"allow {unread.action} to {shown(who)}, in the management account or a delegated "
                "administrator's, or name a role there with role_arn"
            )
        case Reason.DEADLINE:
            return "lengthen deadline under limits, or a run's --deadline"
        case _:
            return fix_elsewhere(unread.failure)
