"""The ledger: every planned target, and the one verdict that each ended in."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from auditor.errors import LedgerError
from auditor.model import (
    EXPORT_RECORDS,
    NOT_OF_AN_ACCOUNT,
    UNREAD,
    Failure,
    Outcome,
    Reason,
    Target,
    Verdict,
    gap_id,
    shared_failures,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from auditor.model import Accepted, Account

SCHEMA = "auditor.coverage/1"

_PROVED_EMPTY = frozenset({Reason.REGION_NOT_ENABLED, Reason.ACCOUNT_SUSPENDED})


_COUNTS = ("pages", "records", "requests", "retries", "throttles", "duration_s")
"""What an outcome tells in numbers."""
_counts_of = attrgetter(*_COUNTS)
_NUMBERS = array("f", [0.0])
"""Of four bytes: whole numbers are exact to `_EXACT`, and an hour to a quarter of a millisecond."""
_EXACT = 2**24


class _Place:
    """The outcomes of one account and Region, in the order of its sources.

    An organisation has ten targets for each, a hundred thousand in all, most of them complete: of these the numbers
    are kept, and nothing else.
    """

    __slots__ = ("_counts", "_others", "_settled", "account", "region", "sources")

    def __init__(self, account: Account, region: str) -> None:
        self.account = account
        self.region = region
        self.sources: tuple[str, ...] = ()
        self._settled = 0
        """A bit for each source."""
        self._counts = _NUMBERS
        self._others: dict[int, Outcome] | None = None
        """The outcomes that numbers don't tell."""

    def add(self, sources: tuple[str, ...]) -> None:
        """Plan one source more, the last of these."""
        self.sources = sources
        # Made anew, since an array that grows takes room for more.
        self._counts = _NUMBERS * (len(sources) * len(_COUNTS))

    def is_settled(self, at: int) -> bool:
        """Say whether the target of a source is."""
        return bool(self._settled >> at & 1)

    def settle(self, at: int, outcome: Outcome) -> None:
        """Keep the outcome of a source."""
        self._settled |= 1 << at
        exact = max(outcome.records, outcome.requests, outcome.pages) <= _EXACT
        if outcome.failure is None and outcome.unjudged is None and exact:
            own = slice(at * len(_COUNTS), (at + 1) * len(_COUNTS))
            self._counts[own] = array("f", _counts_of(outcome))
        else:
            self._others = {**(self._others or {}), at: outcome}

    def count(self) -> Counter[Verdict]:
        """Return how many sources ended in each verdict, without a look at the numbers."""
        others = self._others or {}
        told = Counter(outcome.verdict for outcome in others.values() if outcome.verdict is not None)
        told[Verdict.COMPLETE] += self._settled.bit_count() - len(others)
        return told

    def others(self) -> Iterator[tuple[Target, Outcome]]:
        """Yield its targets that numbers don't tell of, in the order of its sources."""
        for at in sorted(self._others or ()):
            yield Target(self.sources[at], self.account, self.region), self.outcome(at)

    def outcome(self, at: int) -> Outcome:
        """Return the outcome of a source that is settled."""
        if self._others is not None and at in self._others:
            return self._others[at]
        *counts, duration_s = self._counts[at * len(_COUNTS) : (at + 1) * len(_COUNTS)]
        pages, records, requests, retries, throttles = map(int, counts)
        return Outcome(
            Verdict.COMPLETE,
            pages=pages,
            records=records,
            requests=requests,
            retries=retries,
            throttles=throttles,
            duration_s=duration_s,
        )


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
        self._places: dict[tuple[str, str], _Place] = {}
        """By account and Region."""
        self._planned = 0
        self._plan(targets)
        self._breaches: list[str] = []
        self.settled = 0
        self.requests = 0
        self.verdicts: Counter[Verdict] = Counter()

    def _plan(self, targets: Iterable[Target]) -> None:
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        for target in targets:
            self._planned += 1
            key = (target.account.id, target.region)
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = _Place(target.account, target.region)
            if target.source not in place.sources:
                sources = (*place.sources, target.source)
                place.add(shared.setdefault(sources, sources))

    @property
    def planned(self) -> int:
        """How many targets there are."""
        return self._planned

    def settle(self, target: Target, outcome: Outcome, failure: Failure | None) -> Verdict:
        """Give the target its verdict: complete without a failure, else what was read decides.

        A target that was not planned, or has a verdict, is a breach that `check` tells of.
        """
        outcome.failure = failure
        outcome.verdict = verdict_of(outcome, failure)
        place = self._places.get((target.account.id, target.region))
        at = place.sources.index(target.source) if place and target.source in place.sources else None
        if place is None or at is None or place.is_settled(at):
            self._breaches.append(
                f"{target.account.id} {target.region} was not planned, or was settled twice: {target.source}"
            )
            return outcome.verdict
        self.settled += 1
        self.requests += outcome.requests
        self.verdicts[outcome.verdict] += 1
        if failure is not None and outcome.verdict in UNREAD:
            outcome.accepted = self._accept(target, failure)
            self.accepted += outcome.accepted is not None
        place.settle(at, outcome)
        return outcome.verdict

    def settle_the_rest(self, failure: Failure) -> None:
        """Settle every target that was never begun."""
        for target, outcome in self._all():
            if outcome is None:
                self.settle(target, Outcome(), failure)

    def check(self) -> None:
        """Prove that what was planned and what is accounted for are the same.

        :raises LedgerError: where they are not.
        """
        known = sum(len(place.sources) for place in self._places.values())
        verdicts: Counter[Verdict] = Counter()
        for place in self._places.values():
            verdicts.update(place.count())
        missing = known - verdicts.total()
        breaches = list(self._breaches)
        if missing or known != self._planned or verdicts != self.verdicts:
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
        return ((target, outcome) for target, outcome in self._all() if outcome is not None)

    def failures(self) -> Iterator[tuple[Target, Outcome]]:
        """Yield each target that is settled and not complete, with its outcome, in the order of the plan."""
        for place in self._places.values():
            yield from (
                (target, outcome) for target, outcome in place.others() if outcome.failure is not None
            )

    def accounts(self) -> frozenset[str]:
        """Return the ids of the accounts that have a target of their own."""
        return frozenset(
            place.account.id
            for place in self._places.values()
            if any(source not in NOT_OF_AN_ACCOUNT for source in place.sources)
        )

    def outcomes(self, account_id: str, region: str) -> dict[str, Outcome] | None:
        """Return the outcomes of an account and Region that are settled, by source; None where none was planned."""
        place = self._places.get((account_id, region))
        if place is None:
            return None
        return {source: place.outcome(at) for at, source in enumerate(place.sources) if place.is_settled(at)}

    def _all(self) -> Iterator[tuple[Target, Outcome | None]]:
        for place in self._places.values():
            for at, source in enumerate(place.sources):
                target = Target(source, place.account, place.region)
                yield target, place.outcome(at) if place.is_settled(at) else None

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the coverage line of each settled target, in the order of the plan."""
        return self._lines(self.settled_lines())

    def lines_of_gaps(self) -> Iterator[dict[str, Any]]:
        """Yield those of them that may tell of a gap: not all lines of a large plan have to be made for them."""
        return self._lines(each for place in self._places.values() for each in place.others())

    def _lines(self, settled: Iterable[tuple[Target, Outcome]]) -> Iterator[dict[str, Any]]:
        alike = shared_failures(self.failures())
        return (_line(target, outcome, alike) for target, outcome in settled)


def dependency_failed(reason: str, error_code: str | None) -> Failure:
    """Return why a source of facts is not complete that was read: which ids to ask for was not all known.

    :param reason: why the records were not read to their end, with AWS's code for it.
    """
    text = f"{EXPORT_RECORDS}: the records' target ended as {reason}"
    return Failure(Reason.DEPENDENCY_FAILED, error_code, text)


def verdict_of(outcome: Outcome, failure: Failure | None) -> Verdict:
    """Return how a target ended: complete without a failure, else what was read decides."""
    if failure is None:
        return Verdict.COMPLETE
    if outcome.pages:
        return Verdict.PARTIAL
    return Verdict.SKIPPED if failure.reason in _PROVED_EMPTY else Verdict.FAILED


def _line(target: Target, outcome: Outcome, alike: frozenset[Failure]) -> dict[str, Any]:
    failure = outcome.failure
    gap = None
    if failure is not None and outcome.verdict in UNREAD:
        alone = failure not in alike
        gap = gap_id(target.account.id if alone else None, target.source if alone else None, failure.reason)
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
        "throttles": outcome.throttles,
        "duration_s": round(outcome.duration_s, 3),
        "gap_id": gap,
    }
