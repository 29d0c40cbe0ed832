"""accounts.yaml → Config, or every fault of it at once."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from auditor.config.acceptances import (
    ACCEPTED_GAPS,
    WAIVERS,
    AcceptedGap,
    AcceptedGapEntry,
    Waiver,
    WaiverEntry,
)
from auditor.config.accepting import check_acceptances
from auditor.config.accounts import check_accounts, resolve
from auditor.config.config import Config
from auditor.config.destinations import DESTINATIONS, read_destinations
from auditor.config.digest import digest
from auditor.config.entries import (
    AccountEntry,
    Defaults,
    Document,
    DocumentOfOrganization,
    HistoryEntry,
    OrganizationEntry,
    SelectionEntry,
)
from auditor.config.environment import fill_in
from auditor.config.faults import Faults
from auditor.config.history import check_history, history_of
from auditor.config.hub import hub_of
from auditor.config.nodes import Child, ListNode, MappingNode
from auditor.config.organization import check_organization, organization_of
from auditor.config.own import (
    EXPRESSION,
    ControlSettings,
    ExpressionSettings,
    check_own,
    is_own,
    lacks_expression,
)
from auditor.config.reading import read_text
from auditor.config.regions import check_regions
from auditor.config.settings import Limits
from auditor.config.text import nearest, quoted
from auditor.config.tree import read_tree
from auditor.config.values import kind_of, of_the_audit, plain
from auditor.config.wording import distinct, tell

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from auditor.config.settings import DestinationSettings, PolicySettings

M = TypeVar("M", bound=BaseModel)

_ENTRIES: Mapping[str, type[BaseModel]] = {
    "accounts": AccountEntry,
    WAIVERS: WaiverEntry,
    ACCEPTED_GAPS: AcceptedGapEntry,
}
"""The key of a list → the shape of its entries."""


def load_config(
    path: Path,
    *,
    policy_settings: Mapping[str, type[PolicySettings]],
    known_regions: Collection[str],
    environ: Mapping[str, str],
    destination_settings: Mapping[str, type[DestinationSettings]] | None = None,
) -> Config:
    """Return the configuration in the file at `path`.

    `policy_settings` has the class of each known policy's settings, `known_regions` the Regions that Lightsail has,
    `environ` what `${NAME}` reads, `destination_settings` the class of the settings of each kind of destination.

    :raises ConfigError: with every problem of the file, in its order.
    """
    faults = Faults(str(path))
    root = read_tree(read_text(path, faults), faults)
    if not isinstance(root.node, MappingNode):
        found = kind_of(root.node).replace("empty", "nothing")
        line = None if found == "nothing" else root.line
        raise faults.fatal(line, f"the file holds {found}; write keys, the first of them version: 1")
    fill_in(root, environ, faults)
    check_acceptances(root.node, policy_settings, known_regions, faults)
    destinations = read_destinations(
        root.node,
        destination_settings or {},
        environ,
        lambda kind, name: _validated(kind, root, (DESTINATIONS, name), faults),
        faults,
    )
    of_organization = "organization" in root.node.children
    document = _validated(DocumentOfOrganization if of_organization else Document, root, (), faults)
    policies = _policies(root, policy_settings, faults)
    check_accounts(root.node, faults)
    check_organization(root.node, faults)
    check_history(root.node, path, faults)
    _check_all_regions(root.node, known_regions, faults)
    faults.check()
    if document is None:  # pragma: no cover -- there is a fault where there is no document
        raise AssertionError
    waivers = tuple(
        Waiver(line, **entry.model_dump())
        for line, entry in zip(_lines(root.node, WAIVERS), document.waivers, strict=True)
    )
    accepted_gaps = tuple(
        AcceptedGap(line, **entry.model_dump())
        for line, entry in zip(_lines(root.node, ACCEPTED_GAPS), document.accepted_gaps, strict=True)
    )
    accounts = tuple(resolve(entry, document.defaults, known_regions) for entry in document.accounts)
    organization = organization_of(root.node, document, known_regions)
    return Config(
        accounts=accounts,
        policies=MappingProxyType(policies),
        limits=document.limits,
        path=str(path),
        digest=digest(accounts, policies, document.limits, (*waivers, *accepted_gaps), organization),
        waivers=waivers,
        accepted_gaps=accepted_gaps,
        organization=organization,
        destinations=tuple(replace(each, hub=hub_of(document.defaults)) for each in destinations),
        policy_lines=_policy_lines(root.node),
        policies_line=root.node.children["policies"].line if "policies" in root.node.children else 1,
        history=history_of(document, path),
        document=of_the_audit(root.node),
    )


def _validated(model: type[M], root: Child, at: tuple[str, ...], faults: Faults) -> M | None:
    """Return the value at `at` as `model`; None where it has faults, which are noted."""
    child = root
    for key in at:
        if not isinstance(child.node, MappingNode):  # pragma: no cover -- the caller has looked
            return None
        child = child.node.children[key]
    # A policy says itself which of its settings may be empty.
    value = plain(child.node, null=None) if at else plain(child.node)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # Not chained: a traceback would show pydantic's own, with values from the environment in it.
        found = error.errors(include_url=False, include_input=False)
    for one in distinct(found, at, root):
        if faults.full:
            break
        tell(one, at, root, _known_keys((*at, *one["loc"][:-1]), model), faults)
    return None


def _known_keys(place: tuple[str | int, ...], model: type[BaseModel]) -> Collection[str]:
    found: type[BaseModel] | None = None
    match place:
        case ("defaults",):
            found = Defaults
        case (str() as of, int()) if of in _ENTRIES:
            found = _ENTRIES[of]
        case ("limits",):
            found = Limits
        case ("history",):
            found = HistoryEntry
        case ("organization",):
            found = OrganizationEntry
        case ("organization", "include" | "exclude"):
            found = SelectionEntry
        case () | ("policies" | "destinations", _):
            found = model
        case ("policies", _, "controls", int()):
            found = ControlSettings
    return found.model_fields if found is not None else ()


def _lines(root: MappingNode, key: str) -> list[int]:
    """Return the line of each entry of the list under `key`."""
    written = root.children.get(key)
    return (
        [child.line for child in written.node.children]
        if written and isinstance(written.node, ListNode)
        else []
    )


def _policy_lines(root: MappingNode) -> Mapping[str, int]:
    written = root.children.get("policies")
    if written is None or not isinstance(written.node, MappingNode):
        return {}
    return {policy: child.line for policy, child in written.node.children.items()}


def _policies(
    root: Child, policy_settings: Mapping[str, type[PolicySettings]], faults: Faults
) -> dict[str, PolicySettings]:
    policies = {policy: settings() for policy, settings in policy_settings.items()}
    written = root.node.children.get("policies") if isinstance(root.node, MappingNode) else None
    if written is None or not isinstance(written.node, MappingNode):
        return policies  # what it is instead of a mapping was told with the document
    for policy, child in written.node.children.items():
        if faults.full:
            break
        if is_own(child):
            if own := _own_policy(policy, child, root, policy_settings, faults):
                policies[policy] = own
        elif policy not in policy_settings and lacks_expression(child):
            faults.add(
                child.line,
                f"policy {quoted(policy)} has no {EXPRESSION}; write {EXPRESSION}: one in CEL that is true where a record "
                "breaks it",
            )
        elif policy not in policy_settings:
            near = nearest(policy, policy_settings)
            hint = f"write {near}" if near else f"the policies are {', '.join(sorted(policy_settings))}"
            faults.add(child.line, f"unknown policy {quoted(policy)}; {hint}, or remove it")
        elif settings := _validated(policy_settings[policy], root, ("policies", policy), faults):
            policies[policy] = settings
    return policies


def _own_policy(
    policy: str,
    child: Child,
    root: Child,
    policy_settings: Mapping[str, type[PolicySettings]],
    faults: Faults,
) -> PolicySettings | None:
    """Return the settings of a policy that has an expression; None where they can't be used."""
    known = policy_settings.get(policy)
    if known is not None and EXPRESSION not in known.model_fields:
        faults.add(
            child.line,
            f"there is a policy {quoted(policy)} already, which takes no {EXPRESSION}; "
            "give the one of your own another id",
        )
        return None
    if known is not None:
        return _validated(known, root, ("policies", policy), faults)
    settings = _validated(ExpressionSettings, root, ("policies", policy), faults)
    if settings is not None:
        check_own(policy, child, settings, faults)
    return settings


def _check_all_regions(root: MappingNode, known: Collection[str], faults: Faults) -> None:
    listed = root.children.get("accounts")
    accounts = listed.node.children if listed and isinstance(listed.node, ListNode) else []
    defaults = root.children.get("defaults")
    seen: set[int] = set()  # many accounts may share one list by an alias
    for level in [*([defaults] if defaults else []), *accounts]:
        regions = level.node.children.get("regions") if isinstance(level.node, MappingNode) else None
        if regions is not None and id(regions.node) not in seen:
            seen.add(id(regions.node))
            check_regions(regions, known, faults)
