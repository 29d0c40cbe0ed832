"""What came of a shard, entered into the books of the run as if it had been audited here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from auditor.audit.carrying import Bug, read_outcome
from auditor.audit.place import PlaceEnd
from auditor.audit.tally import Counts
from auditor.audit.worker_logs import tell_again
from auditor.aws.paging import WasRead
from auditor.model import Failure, Outcome, Reason, finding_of_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from auditor.audit.books import Books
    from auditor.audit.carrying import PlaceTold, ShardTold
    from auditor.audit.shards import Shard
    from auditor.audit.telling import Told
    from auditor.model import Finding, Place
    from auditor.telemetry import Telemetry

log = structlog.get_logger()

_LOST = "a worker was lost while it audited this, and another while it audited nothing else"
_NOTHING_READ = WasRead(frozenset())


class ShardResults:
    """Enters results into the books of one run, and tells of them."""

    def __init__(
        self, books: Books, tell: Callable[[Told], Awaitable[None]], telemetry: Telemetry | None
    ) -> None:
        self._books = books
        self._tell = tell
        self._telemetry = telemetry

    async def take(self, shard: Shard, told: ShardTold | Bug) -> None:
        """Enter what came of a shard."""
        if isinstance(told, Bug):
            log.error("internal error: a bug of the auditor", places=len(shard.places), exception=told.told)
            await self.fail(shard, Failure(Reason.INTERNAL_ERROR, told.error))
            return
        tell_again(list(told.logs), log)
        for each in told.places:
            await self._take(shard.places[each.at], each)

    async def lost_again(self, shard: Shard) -> None:
        """Enter that a place can't be audited: it loses its workers."""
        await self.fail(shard, Failure(Reason.WORKER_LOST, None, _LOST))

    async def fail(self, shard: Shard, failure: Failure) -> None:
        """Enter that nothing came of a shard, and won't."""
        for place in shard.places:
            for target in place.targets:
                self._books.ledger.settle(target, Outcome(), failure)
            await self._tell(PlaceEnd(place, Counts(), _NOTHING_READ))

    async def _take(self, place: Place, told: PlaceTold) -> None:
        for target, row in zip(place.targets, told.outcomes, strict=True):
            outcome = read_outcome(row)
            self._books.ledger.settle(target, outcome, outcome.failure)
        self._books.tally.add(told.counts)
        if told.findings:
            await self._tell([self._finding(row) for row in told.findings])
        if told.ended:
            # Without a history nobody asks which records were read.
            await self._tell(PlaceEnd(place, told.counts, told.was_read or _NOTHING_READ))
        if self._telemetry is not None:
            outcomes = self._books.ledger.outcomes(place.account.id, place.region) or {}
            self._telemetry.place(place, told.began, outcomes, told.until)

    def _finding(self, row: tuple[object, ...]) -> Finding:
        finding = finding_of_row(row, None)
        where = (finding.account_id, finding.region, finding.resource_arn)
        waived = self._books.waivers.waive(finding.policy, *where)
        return finding if waived is None else finding_of_row(row, waived)
