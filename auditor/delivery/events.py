"""What receivers are told beside findings: gaps, each once however many Regions it has, and last the run itself."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.formats import encoded
from auditor.history import Event
from auditor.model import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.model import Accepted, Failure, Outcome, Target

GAP, RUN = "gap", "run"
"""Kinds of events, beside findings."""

GAP_SCHEMA = "auditor.gap/1"

_UNREAD = frozenset({Verdict.PARTIAL, Verdict.FAILED})
_SHARED = frozenset(
    {
        Reason.CLOCK_SKEW,
        Reason.DEADLINE,
        Reason.EXPIRED_CREDENTIALS,
        Reason.INTERRUPTED,
        Reason.NETWORK_ERROR,
    }
)
"""Reasons that lie with the run and not with an account, where several accounts have the very same."""


@dataclass(slots=True)
class _Group:
    """Targets that are one gap."""

    reason: Reason
    account_id: str | None = None
    account_name: str | None = None
    source: str | None = None
    accounts: dict[str, None] = field(default_factory=dict)
    regions: dict[str, None] = field(default_factory=dict)
    targets: int = 0
    failures: Counter[Failure] = field(default_factory=Counter)
    accepted: list[Accepted] = field(default_factory=list)

    def add(self, target: Target, outcome: Outcome, failure: Failure) -> None:
        self.accounts[target.account.id] = None
        self.regions[target.region] = None
        self.targets += 1
        self.failures[failure] += 1
        if outcome.accepted is not None:
            self.accepted.append(outcome.accepted)


def gap_events(run_id: str, observed_at: str, failures: Iterable[tuple[Target, Outcome]]) -> list[Event]:
    """Return an event for each gap, in the order of the plan.

    A gap is what could not be read of one source in one account for one reason. What is no account's fault, such as
    base credentials that are lost, and is the very same in several accounts, is one gap of them all.

    :param failures: `Ledger.failures()`.
    """
    unread = [
        (target, outcome, outcome.failure)
        for target, outcome in failures
        if outcome.verdict in _UNREAD and outcome.failure is not None
    ]
    accounts_of: dict[Failure, set[str]] = {}
    for target, _, failure in unread:
        if failure.reason in _SHARED:
            accounts_of.setdefault(failure, set()).add(target.account.id)
    groups: dict[tuple[str, str, Reason], _Group] = {}
    for target, outcome, failure in unread:
        if len(accounts_of.get(failure, ())) > 1:
            group = groups.setdefault(("", "", failure.reason), _Group(failure.reason))
        else:
            group = groups.setdefault(
                (target.account.id, target.source, failure.reason),
                _Group(failure.reason, target.account.id, target.account.name, target.source),
            )
        group.add(target, outcome, failure)
    return [_gap_event(run_id, observed_at, group) for group in groups.values()]


def run_event(record: Mapping[str, Any]) -> Event:
    """Return the event that tells of the run, on clean nights too: silence means that the job is dead.

    :param record: run.json.
    """
    event_id = _digest(record["run_id"], RUN)
    return Event(event_id, RUN, encoded({**record, "event_id": event_id}))


def _gap_event(run_id: str, observed_at: str, group: _Group) -> Event:
    gap_id = _digest(GAP, group.account_id or "", group.source or "", group.reason)
    event_id = _digest(gap_id, run_id)
    ((failure, _),) = group.failures.most_common(1)
    wholly_accepted = len(group.accepted) == group.targets
    body = {
        "schema": GAP_SCHEMA,
        "gap_id": gap_id,
        "event_id": event_id,
        "account_id": group.account_id,
        "account_name": group.account_name,
        "accounts": sorted(group.accounts),
        "source": group.source,
        "reason": group.reason,
        "regions": sorted(group.regions),
        "targets": group.targets,
        "error_code": failure.error_code,
        "error_message": failure.error_message,
        "accepted": asdict(group.accepted[0]) if wholly_accepted else None,
        "accepted_targets": len(group.accepted),
        "observed_at": observed_at,
        "run_id": run_id,
    }
    return Event(event_id, GAP, encoded(body))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
