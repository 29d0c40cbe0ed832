"""The enabled policies, put to work on the records of one target after the other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from auditor.errors import Unjudgeable
from auditor.model import ASKED_BESIDES, EXPORT_RECORDS, SOURCES_OF_FACTS, ExportRecord
from auditor.policies.breaches import check_breach
from auditor.policies.contract import Policy, RecordPolicy, TargetPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from auditor.config import PolicySettings
    from auditor.model import Target
    from auditor.policies.catalogue import Entry
    from auditor.policies.contract import Breach, Judgement


@dataclass(frozen=True, slots=True)
class Found:
    """A breach, and the policy that it breaks."""

    policy: str
    breach: Breach


@dataclass(frozen=True, slots=True)
class Crash:
    """A policy that raised where it should have judged: a bug in the policy."""

    policy: str
    error: _Crashed

    @property
    def told(self) -> str:
        """What it raised, in words."""
        try:
            return repr(self.error)
        except CRASHES:  # a policy's own exception may stumble as well
            return type(self.error).__name__


CRASHES = (Exception, SystemExit)
"""What a policy's bug may raise: it must not hide what the others see, nor end the program as if nothing were found."""
_Crashed: TypeAlias = "Exception | SystemExit"


class Panel:
    """The policies that a run judges by, bound to its settings and its instant."""

    def __init__(
        self,
        entries: Mapping[str, Entry],
        settings: Mapping[str, PolicySettings],
        now: datetime,
        own_accounts: frozenset[str] = frozenset(),
    ) -> None:
        self.by_record: dict[str, RecordPolicy[Any]] = {}
        self.by_target: dict[str, TargetPolicy[Any]] = {}
        self.broken: dict[str, _Crashed] = {}
        """Policies that could not even be made."""
        self._askers: dict[str, list[Policy[Any]]] = {}
        """Source → the policies that need it, of some records or of all."""
        for policy_id, chosen in settings.items():
            try:
                policy = entries[policy_id].policy(chosen, now, own_accounts)
                needed = _needed(policy, chosen)
            except CRASHES as error:
                self.broken[policy_id] = error
                continue
            for source in needed:
                self._askers.setdefault(source, []).append(policy)
            if isinstance(policy, RecordPolicy):
                self.by_record[policy_id] = policy
            elif isinstance(policy, TargetPolicy):
                self.by_target[policy_id] = policy

    def asks(self, source: str, record: ExportRecord) -> bool:
        """Return whether a policy needs this source of a record whose image and snapshots are known."""
        return any(_asks(policy, record) for policy in self._askers.get(source, ()))

    def begin(self, on_crash: Callable[[Crash], None], target: Target | None = None) -> TargetJudge:
        """Return the judge of one account and Region: of `target`, where a policy may ask which that is."""
        return TargetJudge(self, on_crash, target)


def sources_of(entries: Mapping[str, Entry], settings: Mapping[str, PolicySettings]) -> tuple[str, ...]:
    """Return every source that these policies need: that of the records, and those of facts in order of name."""
    needed: set[str] = set()
    for policy_id, chosen in settings.items():
        policy = entries[policy_id].policy
        # One that can't say it judges nothing, and is heard as the panel is made.
        with suppress(*CRASHES):
            needed |= _needed(policy, chosen)
    return (EXPORT_RECORDS, *sorted(needed))


def _needed(policy: type[Policy[Any]] | Policy[Any], settings: PolicySettings) -> frozenset[str]:
    """Return the sources of facts that a policy needs.

    :raises ValueError: where there is no such source.
    """
    needed = frozenset(policy.needs(settings)) - {EXPORT_RECORDS}  # which are read anyway
    if strange := sorted(needed - frozenset().union(*SOURCES_OF_FACTS.values())):
        raise ValueError(f"the policy needs {', '.join(strange)}, which is no source of facts")
    return needed


def actions_of(entries: Mapping[str, Entry], settings: Mapping[str, PolicySettings]) -> tuple[str, ...]:
    """Return every action of IAM that a run with these policies calls in an account."""
    return (*sources_of(entries, settings), *ASKED_BESIDES)


class TargetJudge:
    """Judges the records of one target, and counts those that it can't judge.

    A record without an ARN can't be the subject of a finding, so no policy can judge it. A policy that raises is
    said to have crashed, leaves what it was looking at unjudged, and touches nothing else.
    """

    def __init__(self, panel: Panel, on_crash: Callable[[Crash], None], target: Target | None = None) -> None:
        self._looks: list[tuple[str, Callable[[ExportRecord], Breach | None]]] = []
        """What each policy looks at a record with; one that judges the whole target finds nothing yet."""
        self._by_target: list[tuple[str, Judgement]] = []
        self._lost: list[str] = []
        """Policies that crashed before they saw a record: they judge none."""
        self._on_crash = on_crash
        self._seen = 0
        self.unjudged: dict[str, int] = {}
        """Policy → number of records that it could not judge."""
        self.reasons: dict[str, str] = {}
        """Policy → why it could not judge the first of those."""
        self.unjudged_records = 0
        """Records that at least one policy could not judge."""
        for policy_id, broken in panel.broken.items():
            self._lost.append(policy_id)
            on_crash(Crash(policy_id, broken))
        for policy_id, by_record in panel.by_record.items():
            try:
                look = by_record.judge if target is None else by_record.judge_of(target)
            except CRASHES as error:
                self._lost.append(policy_id)
                on_crash(Crash(policy_id, error))
            else:
                self._looks.append((policy_id, look))
        for policy_id, policy in panel.by_target.items():
            try:
                judgement = policy.begin()
            except CRASHES as error:
                self._lost.append(policy_id)
                on_crash(Crash(policy_id, error))
            else:
                self._by_target.append((policy_id, judgement))
                self._looks.append((policy_id, judgement.see))

    def judge(self, records: Sequence[ExportRecord]) -> list[Found]:
        """Return what the records break by themselves, and show them to the policies that judge the whole target."""
        self._seen += len(records)
        found: list[Found] = []
        named = [record for record in records if record.has_arn]
        doubtful: set[ExportRecord] = set(records if self._lost else ())
        for policy_id in self._lost:
            self._cannot_judge(policy_id, len(records))
        if len(named) < len(records):
            doubtful.update(record for record in records if not record.has_arn)
            for policy_id, _ in self._looks:
                self._cannot_judge(policy_id, len(records) - len(named))
        for policy_id, look in self._looks:
            for record in named:
                try:
                    breach = look(record)
                    if breach is not None:
                        check_breach(breach)
                        found.append(Found(policy_id, breach))
                except CRASHES as error:
                    doubtful.add(record)
                    self._stumbled(policy_id, error)
        self.unjudged_records += len(doubtful)
        return found

    def conclude(self, *, complete: bool) -> list[Found]:
        """Return what the target's records break together."""
        found: list[Found] = []
        for policy_id, judgement in self._by_target:
            try:
                breaches: Iterable[Breach] = list(judgement.conclude(complete=complete))
                for breach in breaches:
                    check_breach(breach)
            except CRASHES as error:
                self._on_crash(Crash(policy_id, error))
                self.unjudged[policy_id] = self._seen
                self.unjudged_records = self._seen
            else:
                found.extend(Found(policy_id, breach) for breach in breaches)
        return found

    def _stumbled(self, policy_id: str, error: _Crashed) -> None:
        self._cannot_judge(policy_id)
        self.reasons.setdefault(policy_id, _said(error))
        if not isinstance(error, Unjudgeable):
            self._on_crash(Crash(policy_id, error))

    def _cannot_judge(self, policy_id: str, records: int = 1) -> None:
        if records:
            self.unjudged[policy_id] = self.unjudged.get(policy_id, 0) + records


def _asks(policy: Policy[Any], record: ExportRecord) -> bool:
    try:
        return policy.asks(record)
    except CRASHES:  # whatever it stumbled over, it will again as it judges, and is heard then
        return True


def _said(error: _Crashed) -> str:
    try:
        return str(error)
    except CRASHES:  # as in `told`
        return type(error).__name__
