"""The plan: every target of a run, laid down before the first call, and what was left out of it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.errors import UsageError
from auditor.inventory.accounts import listed
from auditor.model import Account, Failure, Place, Reason, Target, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from auditor.config import Config, PolicySettings
    from auditor.inventory.accounts import Inventory

_ORGANIZATION_REGION = "us-east-1"
"""Where AWS Organizations answers, in partition aws."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a run is confined to; nothing named is no confinement."""

    policies: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.policies or self.accounts or self.regions)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do."""

    places: tuple[Place, ...]
    """In the order in which they are started: interleaved, so that no account is asked in a burst."""
    sources: tuple[str, ...]
    """The sources read in each place."""
    policies: Mapping[str, PolicySettings]
    """The policies judged by, with their settings."""
    scope: Mapping[str, Any]
    """What run.json says of what was planned and what was not."""
    settled: Mapping[Target, Failure] = field(default_factory=dict)
    """Targets whose end is known without a call, which are in none of the places."""
    own_accounts: frozenset[str] = frozenset()
    """Every account that is known to be one's own, those that are left out included."""

    @property
    def targets(self) -> Iterator[Target]:
        """Every target: those that are settled already, then the others place by place."""
        yield from self.settled
        for place in self.places:
            yield from place.targets


def policies_of(config: Config, filters: Filters) -> dict[str, PolicySettings]:
    """Return the policies that a run judges by, with their settings."""
    return {
        policy_id: settings
        for policy_id, settings in config.policies.items()
        if settings.enabled and (not filters.policies or policy_id in filters.policies)
    }


def check_filters(config: Config, filters: Filters, known_regions: Collection[str]) -> None:
    """Look at what can be said of a run before it is known which accounts there are.

    :raises UsageError: where a filter names a Region or policy that does not exist, or no policy is left.
    """
    _check(filters.regions, known_regions, "--region", "Region of Lightsail")
    _check(filters.policies, config.policies, "--policy", "policy")
    if not policies_of(config, filters):
        raise UsageError(f"no policy left to judge by: those asked for are switched off in {config.path}")


def make_plan(
    config: Config,
    filters: Filters,
    known_regions: Collection[str],
    sources_of: Callable[[Mapping[str, PolicySettings]], Sequence[str]],
    inventory: Inventory | None = None,
) -> Plan:
    """Return the plan of a run.

    :param known_regions: every Region that Lightsail is known to have.
    :param sources_of: says which sources these policies need, that of the records first.
    :param inventory: which accounts there are; None for those of the list.
    :raises UsageError: where a filter names what does not exist, or nothing is left to audit.
    """
    found = inventory or listed(config)
    _check_accounts(config, filters, found)
    check_filters(config, filters, known_regions)
    planned = [
        (account, [region for region in account.regions if not filters.regions or region in filters.regions])
        for account in found.accounts
        if not filters.accounts or account.id in filters.accounts
    ]
    policies = policies_of(config, filters)
    sources = tuple(sources_of(policies))
    places = tuple(_interleaved(planned, sources))
    if not places:
        raise UsageError(_nothing_to_audit(found))
    suspended = {
        target: _suspended(found, target)
        for place in places
        if place.account.id in found.suspended
        for target in place.targets
    }
    return Plan(
        places=tuple(place for place in places if place.account.id not in found.suspended),
        sources=sources,
        policies=policies,
        scope=_scope(found, filters, places, known_regions),
        settled=_organization_gap(found) | suspended,
        own_accounts=found.own,
    )


def _check_accounts(config: Config, filters: Filters, found: Inventory) -> None:
    excluded = {account.id: account.why for account in found.excluded}
    for name in filters.accounts:
        if name in excluded:
            raise UsageError(f"--account {name}: is left out by {config.path}: {excluded[name]}")
    what = f"account of {config.path}" + (" or its organization" if config.organization else "")
    if found.unread:
        what += f", which could not be read ({found.unread.action}: {found.unread.failure.reason})"
    _check(filters.accounts, [account.id for account in found.accounts], "--account", what)


def _nothing_to_audit(found: Inventory) -> str:
    if not found.accounts:
        return "nothing to audit: no account of the organization is included; see `auditor accounts`"
    return "nothing to audit: no account chosen is configured for a Region chosen"


def _suspended(found: Inventory, target: Target) -> Failure:
    state = found.suspended[target.account.id]
    return Failure(Reason.ACCOUNT_SUSPENDED, None, f"AWS Organizations says {shown(state)}")


def _organization_gap(found: Inventory) -> dict[Target, Failure]:
    """Return a target for the organisation itself, where it could not be read: what is in it is not known."""
    if found.unread is None:
        return {}
    asked_as = Account(
        id=found.asked_as or "unknown",
        name=None,
        role_arn="",
        external_id=None,
        session_name="",
        session_duration=0,
        regions=(_ORGANIZATION_REGION,),
    )
    return {Target(found.unread.action, asked_as, _ORGANIZATION_REGION): found.unread.failure}


def compared(known_regions: Collection[str], published: Collection[str] | None) -> dict[str, Any]:
    """Return what run.json says of the Regions that Lightsail has, by botocore and by Lightsail itself.

    :param published: by Lightsail; None where it did not say.
    """
    return {
        "regions_compared": published is not None,
        "regions_only_of_lightsail": sorted(set(published or ()) - set(known_regions)),
        "regions_only_of_botocore": sorted(set(known_regions) - set(published))
        if published is not None
        else [],
    }


def _interleaved(
    planned: Sequence[tuple[Account, Sequence[str]]], sources: tuple[str, ...]
) -> Iterator[Place]:
    for turn in range(max((len(regions) for _, regions in planned), default=0)):
        for account, regions in planned:
            if turn < len(regions):
                yield Place(account, regions[turn], sources)


def _scope(
    found: Inventory, filters: Filters, places: Collection[Place], known_regions: Collection[str]
) -> dict[str, Any]:
    accounts = {place.account.id for place in places}
    in_region: dict[str, int] = dict.fromkeys(known_regions, 0)
    for place in places:
        in_region[place.region] += 1
    return {
        "kind": "subset" if filters else "full",
        "filters": {
            "policies": list(filters.policies),
            "accounts": list(filters.accounts),
            "regions": list(filters.regions),
        },
        "accounts_from": found.accounts_from,
        "accounts_not_planned": [account.id for account in found.accounts if account.id not in accounts],
        "accounts_excluded": [{"id": account.id, "why": account.why} for account in found.excluded],
        "organization_gap": found.unread
        and {
            "source": found.unread.action,
            "reason": found.unread.failure.reason,
            "error_code": found.unread.failure.error_code,
            "error_message": found.unread.failure.error_message,
        },
        "regions_not_planned": [region for region, count in in_region.items() if not count],
        "regions_not_planned_everywhere": {
            region: len(accounts) - count for region, count in in_region.items() if 0 < count < len(accounts)
        },
    }


def _check(asked: Collection[str], known: Collection[str], option: str, what: str) -> None:
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"{option} {shown(name)}: no such {what}{hint}")
