"""What a run has looked at: where it has not, nothing can be said to have matched nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from auditor.config import is_pattern, matcher
from auditor.model import EXPORT_RECORDS, Verdict
from auditor.waivers.acceptances import OWN_DOING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from auditor.config import AcceptedGap, Waiver
    from auditor.coverage import Ledger
    from auditor.inventory import Filters
    from auditor.model import Outcome

_NOBODY: frozenset[str] = frozenset()
_PolicyIds: TypeAlias = "frozenset[str] | None"
"""The policies that did not see all records of a place; None for all policies there are."""


@dataclass(frozen=True, slots=True)
class _Missed:
    """By account and Region, what a run has not looked at."""

    unseen: dict[str, dict[str, _PolicyIds]]
    """Where some policy did not see all records."""
    cut_off: dict[str, dict[str, _PolicyIds]]
    """Where a target ended by the auditor's own doing."""


class Looked:
    """What a run has looked at, once every target has its verdict."""

    def __init__(self, ledger: Ledger, filters: Filters, policies: Collection[str]) -> None:
        """:param policies: those that the run judged by."""
        self._ledger = ledger
        self._filters = filters
        self._policies = policies

    @cached_property
    def _missed(self) -> _Missed:
        # Only where a rule matched nothing: the ledger may be long.
        missed = _Missed({}, {})
        for target, outcome in self._ledger.settled_lines():
            if target.source == EXPORT_RECORDS and (unseen := _unseen(outcome)) != _NOBODY:
                missed.unseen.setdefault(target.account.id, {})[target.region] = unseen
            if outcome.failure is not None and outcome.failure.reason in OWN_DOING:
                missed.cut_off.setdefault(target.account.id, {})[target.region] = None
        return missed

    def at_all_of_waiver(self, waiver: Waiver) -> bool:
        """Say whether each finding that the waiver could have matched would have been found."""
        judged = any(self._takes(waiver.policy, policy) for policy in self._policies)
        filters = self._filters
        asked = _asked(filters.policies, waiver.policy) and _asked(filters.accounts, waiver.account)
        if not judged or not asked or not _asked(filters.regions, waiver.region):
            return False
        return not any(
            policies is None or any(self._takes(waiver.policy, policy) for policy in policies)
            for policies in self._at(self._missed.unseen, waiver.account, waiver.region)
        )

    def at_all_of_gap(self, gap: AcceptedGap) -> bool:
        """Say whether each target that the gap could have matched was tried."""
        filters = self._filters
        asked = _asked(filters.accounts, gap.account) and _asked(filters.regions, gap.region)
        # The sources of facts are read where a policy needs them; with other policies there may be others.
        if not asked or (filters.policies and gap.source != EXPORT_RECORDS):
            return False
        return not any(True for _ in self._at(self._missed.cut_off, gap.account, gap.region))

    def _at(
        self, places: dict[str, dict[str, _PolicyIds]], account: str | None, region: str | None
    ) -> Iterable[_PolicyIds]:
        """Yield what is noted of each place that is meant."""
        if account is not None and not is_pattern(account):
            accounts: Iterable[str] = [account] if account in places else []
        else:
            accounts = (each for each in places if self._takes(account, each))
        for each in accounts:
            for where, noted in places[each].items():
                if self._takes(region, where):
                    yield noted

    @staticmethod
    def _takes(name: str | None, each: str) -> bool:
        return name is None or name == each or (is_pattern(name) and matcher(name)(each))


def _unseen(outcome: Outcome) -> _PolicyIds:
    if outcome.verdict not in {Verdict.COMPLETE, Verdict.SKIPPED}:
        return None
    return frozenset(outcome.unjudged) if outcome.unjudged else _NOBODY


def _asked(chosen: Collection[str], name: str | None) -> bool:
    """Say whether a filter lets through all that `name` means; of a pattern that is not known."""
    return not chosen or name in chosen
