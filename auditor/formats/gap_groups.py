"""Gaps put together as destinations are told of them: each once, however many Regions or accounts it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.formats.gaps import UNJUDGED_TITLE, UNREAD_TITLE, GapKind, digest, gaps_of_targets
from auditor.model import gap_id, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.formats.gaps import Gap

SCHEMA = "auditor.gap/1"
_SHOWN = 3
"""Regions that are named in a sentence; all of them stand beside it."""


@dataclass(slots=True)
class GapGroup:
    """One gap, with the parts that its targets have in it."""

    first: Gap
    accounts: dict[str, None] = field(default_factory=dict)
    regions: dict[str, None] = field(default_factory=dict)
    targets: int = 0
    records: int = 0
    errors: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    """Code and message of each failure."""
    accepted: list[Mapping[str, str]] = field(default_factory=list)

    def add(self, gap: Gap) -> None:
        """Take one part more."""
        if gap.account_id is not None:
            self.accounts[gap.account_id] = None
        if gap.region is not None:
            self.regions[gap.region] = None
        self.targets += 1
        self.records += gap.records or 0
        self.errors[gap.error_code, gap.error_message] += 1
        if gap.accepted:
            self.accepted.append(gap.accepted)

    def told(self, run_id: str, observed_at: str) -> dict[str, Any]:
        """Return what destinations are told of it, as `auditor.gap/1`.

        :param observed_at: RFC 3339, UTC.
        """
        first = self.first
        ((code, message), _), *_ = self.errors.most_common(1)
        # What is no account's fault is known by its reason alone.
        is_shared = first.kind is GapKind.UNREAD and first.gap_id == gap_id(None, None, str(first.reason))
        return {
            "schema": SCHEMA,
            "gap_id": first.gap_id,
            "event_id": digest(first.gap_id, run_id),
            "kind": first.kind,
            "account_id": None if is_shared else first.account_id,
            "account_name": None if is_shared else first.account_name,
            "accounts": sorted(self.accounts),
            "source": None if is_shared else first.source,
            "reason": first.reason,
            "policy": first.policy,
            "records": self.records if first.kind is GapKind.UNJUDGED else None,
            "regions": sorted(self.regions),
            "targets": self.targets,
            "error_code": code,
            "error_message": message,
            "accepted": dict(self.accepted[0]) if len(self.accepted) == self.targets else None,
            "accepted_targets": len(self.accepted),
            "observed_at": observed_at,
            "run_id": run_id,
        }


def grouped(parts: Iterable[Gap]) -> list[GapGroup]:
    """Return the gaps that these are the parts of, in the order of their first."""
    groups: dict[str, GapGroup] = {}
    for part in parts:
        group = groups.get(part.gap_id)
        if group is None:
            group = groups[part.gap_id] = GapGroup(part)
        group.add(part)
    return list(groups.values())


def gaps_told(
    run_id: str, observed_at: str, coverage: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield what destinations are told of each gap that these coverage lines tell of, in their order."""
    for group in grouped(gaps_of_targets(run_id, coverage)):
        yield group.told(run_id, observed_at)


def gap_said(told: Mapping[str, Any]) -> tuple[str, str]:
    """Return what an `auditor.gap/1` says to people: its title, and one sentence, fit to be shown.

    What an earlier auditor has put into an outbox has no `kind`.
    """
    where = f"in account {told['account_id']}, {_listed(told['regions'])}"
    if told.get("kind") == GapKind.UNJUDGED:
        said = f"{told['policy']} could not judge {told['records']} record(s) {where}: they do not say what it needs"
        return UNJUDGED_TITLE, shown(said)
    if told["account_id"] is None:
        # The list may have been too long for whoever is told.
        where = f"in {len(told['accounts']) or 'many'} accounts"
    what = told["source"] or f"{told['targets']} targets"
    why = ": ".join(str(told[key]) for key in ("reason", "error_code", "error_message") if told[key])
    return UNREAD_TITLE, shown(f"{what} could not be read to the end {where}: {why}")


def _listed(regions: list[str]) -> str:
    more = len(regions) - _SHOWN
    return ", ".join(regions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
