"""The enabled policies, put to work on the records of one target after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.errors import Unjudgeable, UnusableField
from auditor.model import EXPORT_RECORDS
from auditor.policies.contract import RecordPolicy, TargetPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from auditor.config import PolicySettings
    from auditor.model import ExportRecord
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
    error: Exception


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
        for policy_id, chosen in settings.items():
            policy = entries[policy_id].policy(chosen, now, own_accounts)
            if isinstance(policy, RecordPolicy):
                self.by_record[policy_id] = policy
            elif isinstance(policy, TargetPolicy):
                self.by_target[policy_id] = policy

    def begin(self, on_crash: Callable[[Crash], None]) -> TargetJudge:
        """Return the judge of one account and Region."""
        return TargetJudge(self, on_crash)


def sources_of(entries: Mapping[str, Entry], settings: Mapping[str, PolicySettings]) -> tuple[str, ...]:
    """Return every source that these policies need: that of the records, and those of facts in order of name."""
    needed = (entries[policy_id].policy.needs(chosen) for policy_id, chosen in settings.items())
    return (EXPORT_RECORDS, *sorted(frozenset().union(*needed)))


class TargetJudge:
    """Judges the records of one target, and counts those that it can't judge.

    A record without an ARN can't be the subject of a finding, so no policy can judge it. A policy that raises is
    said to have crashed, leaves what it was looking at unjudged, and touches nothing else.
    """

    def __init__(self, panel: Panel, on_crash: Callable[[Crash], None]) -> None:
        self._looks: list[tuple[str, Callable[[ExportRecord], Breach | None]]] = [
            (policy_id, policy.judge) for policy_id, policy in panel.by_record.items()
        ]
        """What each policy looks at a record with; one that judges the whole target finds nothing yet."""
        self._by_target: list[tuple[str, Judgement]] = []
        self._lost: list[str] = []
        """Policies that crashed before they saw a record: they judge none."""
        self._on_crash = on_crash
        self._seen = 0
        self.unjudged: dict[str, int] = {}
        """Policy → number of records that it could not judge."""
        self.unjudged_records = 0
        """Records that at least one policy could not judge."""
        for policy_id, policy in panel.by_target.items():
            try:
                judgement = policy.begin()
            except Exception as error:  # noqa: BLE001 -- one policy's bug must not hide what the others see
                self._lost.append(policy_id)
                on_crash(Crash(policy_id, error))
            else:
                self._by_target.append((policy_id, judgement))
                self._looks.append((policy_id, judgement.see))

    def judge(self, records: Sequence[ExportRecord]) -> list[Found]:
        """Return what the records break by themselves, and show them to the policies that judge the whole target."""
        self._seen += len(records)
        found: list[Found] = []
        named = [record for record in records if _is_named(record)]
        doubtful: set[ExportRecord] = set(records if self._lost else ())
        for policy_id in self._lost:
            self._cannot_judge(policy_id, len(records))
        if len(named) < len(records):
            doubtful.update(record for record in records if not _is_named(record))
            for policy_id, _ in self._looks:
                self._cannot_judge(policy_id, len(records) - len(named))
        for policy_id, look in self._looks:
            for record in named:
                try:
                    breach = look(record)
                except Exception as error:  # noqa: BLE001 -- one policy's bug must not hide what the others see
                    doubtful.add(record)
                    self._stumbled(policy_id, error)
                else:
                    if breach is not None:
                        found.append(Found(policy_id, breach))
        self.unjudged_records += len(doubtful)
        return found

    def conclude(self, *, complete: bool) -> list[Found]:
        """Return what the target's records break together."""
        found: list[Found] = []
        for policy_id, judgement in self._by_target:
            try:
                breaches: Iterable[Breach] = list(judgement.conclude(complete=complete))
            except Exception as error:  # noqa: BLE001 -- as above
                self._on_crash(Crash(policy_id, error))
                self.unjudged[policy_id] = self._seen
                self.unjudged_records = self._seen
            else:
                found.extend(Found(policy_id, breach) for breach in breaches)
        return found

    def _stumbled(self, policy_id: str, error: Exception) -> None:
        self._cannot_judge(policy_id)
        if not isinstance(error, Unjudgeable):
            self._on_crash(Crash(policy_id, error))

    def _cannot_judge(self, policy_id: str, records: int = 1) -> None:
        if records:
            self.unjudged[policy_id] = self.unjudged.get(policy_id, 0) + records


def _is_named(record: ExportRecord) -> bool:
    try:
        _ = record.arn
    except UnusableField:
        return False
    return True
