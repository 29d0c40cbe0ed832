"""The hub: the role between the base credentials and the members' roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.config.nodes import Scalar
from auditor.config.text import quoted
from auditor.config.values import text_of
from auditor.model import HUB_ACTIONS, Account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.config.entries import Defaults
    from auditor.config.faults import Faults
    from auditor.config.nodes import Child, MappingNode

_HOUR = 3600
"""Seconds. Every role gives an hour, and one that is assumed by a role no more (STS API reference, AssumeRole)."""


def hub_of(defaults: Defaults) -> Account | None:
    """Return the hub that checked `defaults` name."""
    if defaults.hub_role_arn is None:
        return None
    return Account(
        id=defaults.hub_role_arn.split(":")[4],
        name=None,
        role_arn=defaults.hub_role_arn,
        external_id=defaults.hub_external_id,
        session_name=defaults.session_name,
        session_duration=min(int(defaults.session_duration.total_seconds()), _HOUR),
        regions=(),
        session_tags=tuple(defaults.session_tags.items()),
        source_identity=defaults.source_identity,
        session_policy=defaults.session_policy,
        actions=HUB_ACTIONS,
    )


def check_hub(defaults: MappingNode | None, accounts: Iterable[MappingNode], faults: Faults) -> None:
    """Note what can't be with a hub, or is nothing without one."""
    if defaults is None:
        return
    hub, its_id = defaults.children.get("hub_role_arn"), defaults.children.get("hub_external_id")
    if hub is None:
        if its_id is not None:
            faults.add(
                its_id.line, "hub_external_id stands without hub_role_arn; write the hub's ARN, or remove it"
            )
        return
    first = defaults.children.get("source_identity")
    if first is not None:
        _check_identities(first, accounts, faults)


def _check_identities(first: Child, accounts: Iterable[MappingNode], faults: Faults) -> None:
    said = text_of(first.node)
    for entry in accounts:
        own = entry.children.get("source_identity")
        other = text_of(own.node) if own is not None else None
        if own is None or not isinstance(own.node, Scalar):
            continue
        if None not in (said, other) and said != other:
            # IAM user guide, "Monitor and control actions taken with assumed roles".
            faults.add(
                own.line,
                f"source_identity {quoted(own.node.text)}: the hub's session has another one (line {first.line}), which "
                "no role assumed with it can change; remove it here, or there",
            )
