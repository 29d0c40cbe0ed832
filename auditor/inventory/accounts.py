"""Which accounts are audited, where each comes from, and why any other is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, TypeAlias

import structlog

from auditor.config.organization import ANY
from auditor.config.text import cut, nearest, quoted
from auditor.errors import ConfigError, OrganizationUnread, Problem
from auditor.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.aws.organizations import Member, Reading, Unit
    from auditor.config import Config, Filter
    from auditor.model import Account

log = structlog.get_logger()

ComesFrom: TypeAlias = Literal["list", "organization", "both"]


@dataclass(frozen=True, slots=True)
class Excluded:
    """An account of the organisation that is not audited."""

    id: str
    name: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """The accounts of a run."""

    accounts: tuple[Account, ...]
    """Those to audit, each once: the list's in its order, then the organisation's in its own."""
    accounts_from: str
    """`list`, `organization`, or `list and organization`."""
    comes_from: Mapping[str, ComesFrom]
    """For each of `accounts`."""
    suspended: Mapping[str, str] = field(default_factory=dict)
    """Those of `accounts` that nobody can get into any more, with the state that AWS says."""
    excluded: tuple[Excluded, ...] = ()
    own: frozenset[str] = frozenset()
    """Every account that is known to be one's own."""
    path_of: Mapping[str, str] = field(default_factory=dict)
    """Account id → the path of its organizational unit, where that was read."""
    unread: OrganizationUnread | None = None
    """Why the organisation is not known."""
    asked_as: str | None = None
    """The account whose credentials asked for it; None where that is not known."""


def listed(
    config: Config, unread: OrganizationUnread | None = None, asked_as: str | None = None
) -> Inventory:
    """Return the accounts of the list alone, and why there is nothing of an organisation."""
    return Inventory(
        accounts=config.accounts,
        accounts_from="list",
        comes_from={account.id: "list" for account in config.accounts},
        own=frozenset(account.id for account in config.accounts),
        unread=unread,
        asked_as=asked_as,
    )


def choose(config: Config, reading: Reading) -> Inventory:
    """Return the accounts of the list, and those of the organisation that are meant.

    The list says what is to be audited whatever the filters say: they choose among the accounts that are found.

    :raises ConfigError: with every filter that matches nothing.
    """
    organization = config.organization
    if organization is None:
        return listed(config)
    _check_matches(config, reading)
    members = {member.id: member for member in reading.members}
    accounts = [_named(account, members.get(account.id)) for account in config.accounts]
    comes_from: dict[str, ComesFrom] = {
        account.id: "both" if account.id in members else "list" for account in accounts
    }
    excluded = []
    for member in reading.members:
        if member.id in comes_from:
            continue
        why = _why_left_out(member, reading, organization.include, organization.exclude)
        if why is None:
            comes_from[member.id] = "organization"
            accounts.append(organization.found(member.id, member.name))
        else:
            excluded.append(Excluded(member.id, member.name, why))
    return Inventory(
        accounts=tuple(accounts),
        accounts_from="list and organization" if config.accounts else "organization",
        comes_from=comes_from,
        suspended={
            member.id: str(member.state)
            for member in reading.members
            if member.closed and member.id in comes_from
        },
        excluded=tuple(excluded),
        own=frozenset({*members, *comes_from}),
        path_of={account_id: unit.path for account_id, unit in reading.unit_of.items()},
    )


def unit_named(named: Filter, units: Iterable[Unit]) -> Unit | None:
    """Return the unit that a filter names by its path or id; None where there is none."""
    return next((unit for unit in units if named.value in (unit.id, unit.path)), None)


def _named(account: Account, member: Member | None) -> Account:
    """Return the listed account with the name that the organisation has for it, where the list gives none."""
    return replace(account, name=member.name) if member is not None and account.name is None else account


def _why_left_out(
    member: Member, reading: Reading, include: Sequence[Filter], exclude: Sequence[Filter]
) -> str | None:
    for one in exclude:
        if _matches(one, member, reading):
            return f"excluded by {_told(one)}"
    if include and not any(_matches(one, member, reading) for one in include):
        return "not included"
    return None


def _matches(one: Filter, member: Member, reading: Reading) -> bool:
    match one.kind:
        case "accounts":
            return one.value == member.id
        case "names":
            return member.name is not None and fnmatchcase(member.name, one.value)
        case "tags":
            value = reading.tags.get(member.id, {}).get(one.value)
            return value is not None and (value in one.tag_values or ANY in one.tag_values)
        case "ous":
            unit, where = unit_named(one, reading.units), reading.unit_of.get(member.id)
            return unit is not None and where is not None and unit.id in where.within


def _told(one: Filter) -> str:
    return f"{one.kind}: {cut(one.written)} (line {one.line})"


def _check_matches(config: Config, reading: Reading) -> None:
    organization = config.organization
    if organization is None:
        return
    matched = Counter(
        one
        for one in (*organization.include, *organization.exclude)
        for member in reading.members
        if _matches(one, member, reading)
    )
    problems = []
    for one in (*organization.include, *organization.exclude):
        if matched[one]:
            continue
        text = _why_nothing(one, reading)
        if one.kind == "accounts" and one in organization.exclude:
            # Such as it is once the account has been closed for long; nothing goes unseen by it.
            log.warning("an excluded account is not in the organization", account=shown(one.written))
        else:
            problems.append(Problem(shown(config.path), one.line, text))
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line or 0))


def _why_nothing(one: Filter, reading: Reading) -> str:
    """Say why a filter matches nothing, and what to write instead."""
    written = quoted(one.written)
    plain = one.written == one.value  # nothing that the environment holds is shown, or looked for
    match one.kind:
        case "accounts":
            near = nearest(one.value, [member.id for member in reading.members]) if plain else None
            return f"account {written} is not in the organization; {_instead(near)}"
        case "ous" if unit_named(one, reading.units) is None:
            near = _nearest_unit(one.value, reading.units) if plain else None
            return f"organizational unit {written} does not exist; {_instead(near)}"
        case "ous":
            return f"no account is in organizational unit {written} or below it; {_instead(None)}"
        case "names":
            names = [member.name for member in reading.members if member.name]
            near = nearest(one.value, names) if plain else None
            return f"no account of the organization is called {written}; {_instead(near)}"
        case "tags":
            return f"no account of the organization has the tag {written}; {_instead(None)}"


def _instead(near: str | None) -> str:
    return f"write {cut(near, 200)}, or remove it" if near else "correct it, or remove it"


def _nearest_unit(path: str, units: Iterable[Unit]) -> str | None:
    paths = [unit.path for unit in units]
    # People leave out the root, whose name nobody chose.
    below = [known for known in paths if known.endswith(f"/{path}")]
    return below[0] if below else nearest(path, paths)
