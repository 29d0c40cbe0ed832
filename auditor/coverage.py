"""The ledger: every planned target, and the one verdict that each ended in."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from auditor.errors import LedgerError
from auditor.model import Failure, Outcome, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditor.model import Accepted, Target

SCHEMA = "auditor.coverage/1"

_GAPS = frozenset({Verdict.PARTIAL, Verdict.FAILED})
_PROVED_EMPTY = frozenset({Reason.REGION_NOT_ENABLED, Reason.ACCOUNT_SUSPENDED})


class Ledger:
    """Opened with the whole plan; each target is settled once."""

    def __init__(
        self,
        targets: Iterable[Target],
        accept: Callable[[Target, Failure], Accepted | None] = lambda _target, _failure: None,
    ) -> None:
        """Open it with the whole plan.

        :param accept: who has accepted that this target can't be read to its end, for this reason.
        """
        self._accept = accept
        self.accepted = 0
        """Targets that are partial or failed, as somebody has accepted."""
        planned = tuple(targets)
        self._outcomes: dict[Target, Outcome | None] = dict.fromkeys(planned)
        self._planned = len(planned)
        self._breaches: list[str] = []
        self.settled = 0
        self.requests = 0
        self.verdicts: Counter[Verdict] = Counter()

    @property
    def planned(self) -> int:
        """How many targets there are."""
        return self._planned

    def settle(self, target: Target, outcome: Outcome, failure: Failure | None) -> Verdict:
        """Give the target its verdict: complete without a failure, else what was read decides.

        A target that was not planned, or has a verdict, is a breach that `check` tells of.
        """
        outcome.failure = failure
        outcome.verdict = _verdict(outcome, failure)
        if self._outcomes.get(target, outcome) is not None:
            self._breaches.append(
                f"{target.account.id} {target.region} was not planned, or was settled twice: {target.source}"
            )
            return outcome.verdict
        self._outcomes[target] = outcome
        self.settled += 1
        self.requests += outcome.requests
        self.verdicts[outcome.verdict] += 1
        if failure is not None and outcome.verdict in _GAPS:
            outcome.accepted = self._accept(target, failure)
            self.accepted += outcome.accepted is not None
        return outcome.verdict

    def settle_the_rest(self, failure: Failure) -> None:
        """Settle every target that was never begun."""
        for target, outcome in self._outcomes.items():
            if outcome is None:
                self.settle(target, Outcome(), failure)

    def check(self) -> None:
        """Prove that what was planned and what is accounted for are the same.

        :raises LedgerError: where they are not.
        """
        verdicts = Counter(outcome.verdict for outcome in self._outcomes.values() if outcome)
        missing = sum(outcome is None for outcome in self._outcomes.values())
        breaches = list(self._breaches)
        if missing or len(self._outcomes) != self._planned or verdicts != self.verdicts:
            known = len(self._outcomes)
            breaches.append(f"{self._planned} targets planned, {known} known, {missing} without a verdict")
        if breaches:
            raise LedgerError("; ".join(breaches))

    def percent(self) -> int:
        """Return complete ÷ (all but skipped) in percent, rounded down; 0 with nothing to divide by."""
        return self._percent_of(self._planned - self.verdicts[Verdict.SKIPPED])

    def percent_after_accepted(self) -> int:
        """Return complete ÷ (all but skipped and accepted gaps) in percent, rounded down; 0 as above.

        Where all that could not be read was accepted, and nothing was read, nothing is covered all the same.
        """
        return self._percent_of(self._planned - self.verdicts[Verdict.SKIPPED] - self.accepted)

    def _percent_of(self, readable: int) -> int:
        return self.verdicts[Verdict.COMPLETE] * 100 // readable if readable else 0

    def settled_lines(self) -> Iterator[tuple[Target, Outcome]]:
        """Yield each settled target with its outcome, in the order of the plan."""
        return ((target, outcome) for target, outcome in self._outcomes.items() if outcome is not None)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the coverage line of each settled target, in the order of the plan."""
        return (_line(target, outcome) for target, outcome in self.settled_lines())


def _verdict(outcome: Outcome, failure: Failure | None) -> Verdict:
    if failure is None:
        return Verdict.COMPLETE
    if outcome.pages:
        return Verdict.PARTIAL
    return Verdict.SKIPPED if failure.reason in _PROVED_EMPTY else Verdict.FAILED


def _line(target: Target, outcome: Outcome) -> dict[str, Any]:
    failure = outcome.failure
    return {
        "schema": SCHEMA,
        "source": target.source,
        "account_id": target.account.id,
        "account_name": target.account.name,
        "region": target.region,
        "verdict": outcome.verdict,
        "reason": failure and failure.reason,
        "error_code": failure and failure.error_code,
        "error_message": failure and failure.error_message,
        "accepted": outcome.accepted and asdict(outcome.accepted),
        "unjudged": outcome.unjudged or {},
        "pages": outcome.pages,
        "records": outcome.records,
        "requests": outcome.requests,
        "retries": outcome.retries,
        "duration_s": round(outcome.duration_s, 3),
    }
