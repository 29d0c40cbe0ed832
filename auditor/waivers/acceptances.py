"""The waivers and accepted gaps of one run: what matches them, and how much did."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Generic, TypeVar

from auditor.config import AcceptedGap, Waiver
from auditor.model import Accepted, Reason, Waived
from auditor.waivers.matching import Matching, Names
from auditor.waivers.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from auditor.model import Failure, Target

R = TypeVar("R", Waiver, AcceptedGap)
W = TypeVar("W", Waived, Accepted)

OWN_DOING = frozenset({Reason.INTERNAL_ERROR, Reason.INTERRUPTED, Reason.DEADLINE, Reason.WORKER_LOST})
"""Reasons that say nothing of the account: a gap that names no reason does not mean the auditor's own failures."""


class _Rules(Generic[R, W]):
    """Rules of one kind, in the file's order."""

    def __init__(
        self, rules: Sequence[R], today: date, names: Callable[[R], Names], written: Callable[[R], W]
    ) -> None:
        self.rules: tuple[R, ...] = tuple(rules)
        self.standing = tuple(standing(rule.until, today) for rule in self.rules)
        self.matched: Counter[int] = Counter()
        """By the number of the rule: how much matched, what an ended one would have covered included."""
        self.covered = 0
        """How much a rule that holds has matched."""
        self._matching = Matching(map(names, self.rules))
        self._written: list[W] = [written(rule) for rule in self.rules]

    def _first(self, names: Sequence[str]) -> W | None:
        """Count what matches, and return what the first rule says of it that holds."""
        if not self.rules:
            return None
        matching = [
            number for number in self._matching.matching(names) if self._means(self.rules[number], names)
        ]
        self.matched.update(matching)
        for number in matching:
            if self.standing[number] is not Standing.ENDED:
                self.covered += 1
                return self._written[number]
        return None

    def _means(self, rule: R, names: Sequence[str]) -> bool:  # noqa: ARG002 -- for the kind that asks for more
        """Say whether a rule whose names match is meant."""
        return True


class Waivers(_Rules[Waiver, Waived]):
    """The waivers of one run."""

    def __init__(self, waivers: Sequence[Waiver], today: date) -> None:
        super().__init__(
            waivers,
            today,
            lambda waiver: (waiver.policy, waiver.account, waiver.region, waiver.resource),
            lambda waiver: Waived(waiver.owner, waiver.reason, waiver.ticket, waiver.until.isoformat()),
        )

    def waive(self, policy: str, account: str, region: str, resource: str) -> Waived | None:
        """Count a finding, and return the first waiver that holds and that it matches."""
        return self._first((policy, account, region, resource))


class AcceptedGaps(_Rules[AcceptedGap, Accepted]):
    """The accepted gaps of one run."""

    def __init__(self, gaps: Sequence[AcceptedGap], today: date) -> None:
        super().__init__(
            gaps,
            today,
            lambda gap: (gap.account, gap.region, gap.source, gap.reason),
            lambda gap: Accepted(gap.owner, gap.explanation, gap.until.isoformat()),
        )

    def accept(self, target: Target, failure: Failure) -> Accepted | None:
        """Count a gap, and return the first accepted gap that holds and that it matches."""
        return self._first((target.account.id, target.region, target.source, failure.reason))

    def _means(self, rule: AcceptedGap, names: Sequence[str]) -> bool:
        return names[-1] not in OWN_DOING or rule.reason == names[-1]
