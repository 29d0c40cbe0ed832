"""What a run looks at: by which policies, with which settings, and what it read to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditor.config import settings_digest
from auditor.inventory import Filters
from auditor.policies import sources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from auditor.config import PolicySettings
    from auditor.history.events import Destination
    from auditor.history.life import Known
    from auditor.model import Outcome, Waived
    from auditor.policies import Entry


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """A policy as a run judges by it."""

    digest: str
    """Of its settings, and of the version of its code."""
    sources: tuple[str, ...]
    """Every source that it needs with these settings, that of the records first."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run as it begins."""

    run_id: str
    started_at: str
    """RFC 3339: what becomes `first_seen`."""
    config_digest: str
    scope: str
    """`full` or `subset`."""
    policies: Mapping[str, JudgedBy]
    destinations: Sequence[Destination] = ()
    goes_on: bool = False
    """Whether it has begun before: what it told then stands in the history."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one run looks at."""

    policies: Mapping[str, JudgedBy]
    """Those that the run judges by."""
    outcomes: Callable[[str, str], Mapping[str, Outcome] | None]
    """The outcomes of an account and Region by source, or None where it is not in the plan: `Ledger.outcomes`."""
    accounts: Collection[str]
    """The ids of the accounts that are in the plan."""
    filters: Filters = field(default_factory=Filters)
    switched_off: Collection[str] = frozenset()
    """Policies that the configuration switches off."""
    waive: Callable[[str, str, str, str], Waived | None] | None = None
    """`Waivers.waive`: who accepts a finding, by policy, account, Region and ARN. None leaves it as it was."""

    def left_out(self, known: Known) -> str | None:
        """Return why the run did not look for a finding at all, or None where it did."""
        if known.policy not in self.policies:
            return self._why_not_judged(known.policy)
        if self.outcomes(known.account_id, known.region) is None:
            return self._why_not_planned(known.account_id, known.region)
        return None

    def _why_not_judged(self, policy: str) -> str:
        if self.filters.policies and policy not in self.filters.policies:
            return f"the run was confined to other policies than {policy}"
        if policy in self.switched_off:
            return f"the policy {policy} is switched off"
        return f"there is no policy {policy} any more"

    def _why_not_planned(self, account: str, region: str) -> str:
        if self.filters.accounts and account not in self.filters.accounts:
            return f"the run was confined to other accounts than {account}"
        if self.filters.regions and region not in self.filters.regions:
            return f"the run was confined to other Regions than {region}"
        if account not in self.accounts:
            return f"account {account} is not among those that the run knew"
        return f"{region} is not among the Regions of account {account}"


def judged_by(entries: Mapping[str, Entry], settings: Mapping[str, PolicySettings]) -> dict[str, JudgedBy]:
    """Return how a run judges by each of these policies."""
    return {
        policy_id: JudgedBy(
            settings_digest(chosen, entries[policy_id].version), sources_of(entries, {policy_id: chosen})
        )
        for policy_id, chosen in settings.items()
    }
