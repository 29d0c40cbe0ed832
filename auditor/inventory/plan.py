"""The plan: every target of a run, laid down before the first call, and what was left out of it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.errors import UsageError
from auditor.model import Place, Target, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from auditor.config import Config, PolicySettings
    from auditor.model import Account


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
    policies: Mapping[str, PolicySettings]
    """The policies judged by, with their settings."""
    scope: Mapping[str, Any]
    """What run.json says of what was planned and what was not."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources read in each place."""
        return tuple(target.source for target in self.places[0].targets)

    @property
    def targets(self) -> Iterator[Target]:
        """Every target, place by place."""
        return (target for place in self.places for target in place.targets)


def make_plan(
    config: Config,
    filters: Filters,
    known_regions: Collection[str],
    sources_of: Callable[[Mapping[str, PolicySettings]], Sequence[str]],
) -> Plan:
    """Return the plan of a run.

    :param known_regions: every Region that Lightsail is known to have.
    :param sources_of: says which sources these policies need, that of the records first.
    :raises UsageError: where a filter names what does not exist, or nothing is left to audit.
    """
    _check(
        filters.accounts,
        [account.id for account in config.accounts],
        "--account",
        f"account of {config.path}",
    )
    _check(filters.regions, known_regions, "--region", "Region of Lightsail")
    _check(filters.policies, config.policies, "--policy", "policy")
    policies = {
        policy_id: settings
        for policy_id, settings in config.policies.items()
        if settings.enabled and (not filters.policies or policy_id in filters.policies)
    }
    if not policies:
        raise UsageError(f"no policy left to judge by: those asked for are switched off in {config.path}")
    planned = [
        (account, [region for region in account.regions if not filters.regions or region in filters.regions])
        for account in config.accounts
        if not filters.accounts or account.id in filters.accounts
    ]
    places = tuple(_interleaved(planned, sources_of(policies)))
    if not places:
        raise UsageError("nothing to audit: no account chosen is configured for a Region chosen")
    return Plan(places, policies, _scope(config, filters, places, known_regions))


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


def _interleaved(planned: Sequence[tuple[Account, Sequence[str]]], sources: Sequence[str]) -> Iterator[Place]:
    for turn in range(max((len(regions) for _, regions in planned), default=0)):
        for account, regions in planned:
            if turn < len(regions):
                yield Place(tuple(Target(source, account, regions[turn]) for source in sources))


def _scope(
    config: Config, filters: Filters, places: Collection[Place], known_regions: Collection[str]
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
        "accounts_from": "list",
        "accounts_not_planned": [account.id for account in config.accounts if account.id not in accounts],
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
