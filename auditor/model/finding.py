"""A finding: a policy broken by a resource."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.model.acceptance import Waived
    from auditor.model.facts import Cost


class Severity(StrEnum):
    """How much a finding matters, gravest first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    def at_least(self, other: Severity) -> bool:
        """Say whether this is as grave as `other`, or graver."""
        order = tuple(Severity)
        return order.index(self) <= order.index(other)


class Status(StrEnum):
    """Where a finding stands in its life."""

    UNTRACKED = "untracked"
    """There is no history to tell."""
    NEW = "new"
    """Found for the first time."""
    RECURRING = "recurring"
    """Found, as it was before."""
    REOPENED = "reopened"
    """Found again after it was resolved."""
    NOT_SEEN = "not_seen"
    """Open, and not found, where not all was looked at that it takes to say that it is gone."""
    RESOLVED = "resolved"
    """Not found where all was looked at, by the same settings as before."""


class ResolutionKind(StrEnum):
    """What a finding was resolved by."""

    CONDITION_CLEARED = "condition-cleared"
    """The resource is there, and no longer breaks the policy."""
    RESOURCE_GONE = "resource-gone"
    POLICY_CHANGED = "policy-changed"
    """It was last found with other settings of the policy."""
    RETIRED = "retired"
    """Somebody has taken its account out of the history."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Why a finding that was open was not found."""

    kind: ResolutionKind | None
    """None where it is not resolved but not seen."""
    why: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control of a framework that a policy may cite."""

    framework: str
    id: str
    mapping: str
    """Whose reading it is: `direct`, `vendor` or `organisational`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, its fields in the order of the schema `auditor.finding/1`."""

    schema: str
    finding_id: str
    event_id: str
    policy: str
    severity: Severity
    status: Status
    partition: str
    account_id: str
    account_name: str | None
    region: str
    resource_arn: str
    resource_type: str | None
    resource_name: str | None
    related: Mapping[str, str | None]
    message: str
    """One sentence for people; nothing in it changes from night to night."""
    remediation: str
    evidence: Mapping[str, object]
    """The fields that the policy rested on."""
    controls: Sequence[Control]
    cost: Cost | None
    waiver: Waived | None
    """It is written all the same, and does not count for `--fail-on`."""
    resolution: Resolution | None
    """There for the statuses `not_seen` and `resolved` alone."""
    first_seen: str | None
    observed_at: str
    run_id: str


_NAMES = tuple(field.name for field in fields(Finding))
_values = attrgetter(*_NAMES)
_EVENT_ID, _STATUS = _NAMES.index("event_id"), _NAMES.index("status")
_EVIDENCE, _WAIVER = _NAMES.index("evidence"), _NAMES.index("waiver")
_WRITTEN = frozenset({str, int, float, bool})
_RESOLUTION, _FIRST_SEEN = _NAMES.index("resolution"), _NAMES.index("first_seen")


def as_found(finding: Finding, event: str, status: Status, first_seen: str) -> Finding:
    """Return a finding as it stands in its life: what `dataclasses.replace` does, at a third of its cost.

    :param event: its event_id.
    """
    values = list(_values(finding))
    values[_EVENT_ID] = event
    values[_STATUS] = status
    values[_FIRST_SEEN] = first_seen
    values[_RESOLUTION] = None
    return Finding(*values)


def row_of_finding(finding: Finding) -> tuple[Any, ...]:
    """Return the values of its fields, in their order, in nothing but what every process knows."""
    values: list[Any] = list(_values(finding))
    values[_EVIDENCE] = _plain(values[_EVIDENCE])
    return tuple(values)


def finding_of_row(row: Sequence[Any], waiver: Waived | None) -> Finding:
    """Return the finding of such a row, with its waiver."""
    values = list(row)
    values[_WAIVER] = waiver
    return Finding(*values)


def _plain(value: Any) -> Any:
    """Return what a policy saw without the types of its own that it may have put it in."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    for kind in (str, int, float):
        if isinstance(value, kind) and type(value) not in _WRITTEN:
            return kind(value)
    return value


def finding_id(partition: str, account_id: str, region: str, resource_arn: str, policy: str) -> str:
    """Return the id by which this finding is known in every run: nothing in it changes while the problem stays."""
    return _digest(partition, account_id, region, resource_arn, policy)


def event_id(finding: str, run_id: str, status: Status) -> str:
    """Return the id by which a receiver drops the second copy of one run's word on a finding."""
    return _digest(finding, run_id, status)


def _digest(*parts: str) -> str:
    # A name from AWS may hold lone surrogates; an id must come out of it all the same.
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
