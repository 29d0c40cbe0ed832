"""One account and Region: its records read page by page, joined, judged, and every target settled whatever happens."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio
import structlog

from auditor.audit.joining import Joiner
from auditor.audit.reading import Reading, internal_error, say_failed, where
from auditor.audit.tally import Counts
from auditor.coverage import dependency_failed
from auditor.errors import CallFailed
from auditor.model import ExportRecord, Failure, Outcome, Place, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from auditor.audit.findings import FindingMaker
    from auditor.audit.telling import Told
    from auditor.aws.paging import Paging
    from auditor.aws.slots import Slot
    from auditor.model import Target, Verdict
    from auditor.policies import Crash, Found, Panel, TargetJudge

log = structlog.get_logger()

_NOT_KNOWN = Failure(Reason.INTERNAL_ERROR)
"""Why a place was not read, as long as nothing else is known."""


@dataclass(frozen=True, slots=True)
class PlaceEnd:
    """A place of which every target has its verdict, and that is done: it was not cut off."""

    place: Place
    counts: Counts
    was_read: Callable[[str], bool]
    """Says whether the record of an ARN was read, or may have been."""


class Readers(Protocol):
    """What the targets of a run are read with."""

    def reader(self, target: Target, outcome: Outcome, slot: Slot) -> Paging:
        """Return what reads a target."""

    def ended(self, place: Place) -> None:
        """Take note that nothing more is asked of a place."""


class Settling(Protocol):
    """What gives targets their verdicts."""

    def settle(self, target: Target, outcome: Outcome, failure: Failure | None) -> Verdict:
        """Give a target its verdict."""


class Counting(Protocol):
    """What counts."""

    def add(self, others: Counts) -> None:
        """Add what was counted of a place."""


class PlaceAudit:
    """Audits the places of one run, one at each call."""

    def __init__(  # noqa: PLR0913 -- the rooms that a place's records pass through
        self,
        *,
        readers: Readers,
        panel: Panel,
        maker: FindingMaker,
        ledger: Settling,
        tally: Counting,
        tell: Callable[[Told], Awaitable[None]],
        why_stopped: Callable[[], Failure],
    ) -> None:
        self.readers = readers
        self._panel = panel
        self._maker = maker
        self._ledger = ledger
        self._tally = tally
        self._tell = tell
        self._why_stopped = why_stopped
        # Bound once: where it is not, structlog makes a logger for each line, those too that nobody wants.
        self._log = log.bind()

    async def audit(self, place: Place, slot: Slot) -> None:
        """Read, join, judge and settle a place; nothing but a cancellation gets out of here."""
        visit = _Visit(self, place, slot)
        try:
            await visit.read()
        except anyio.get_cancelled_exc_class():
            visit.stopped = self._why_stopped()
            raise
        finally:
            self.readers.ended(place)
            await visit.settle()

    def begin(self, target: Target) -> TargetJudge:
        """Return the judge of a place's records."""
        return self._panel.begin(lambda crash: _say_crashed(target, crash), target)

    def asks(self, source: str, record: ExportRecord) -> bool:
        """Return whether a policy needs this source of a record whose copy is known."""
        return self._panel.asks(source, record)

    async def report(self, target: Target, found: list[Found]) -> None:
        """Make findings of what was found, and hand them on."""
        if found:
            await self._tell([self._maker.make(target, each) for each in found])

    def settle(self, target: Target, outcome: Outcome, failure: Failure | None) -> None:
        """Give a target its verdict."""
        verdict = self._ledger.settle(target, outcome, failure)
        self._log.debug("target settled", **where(target), verdict=verdict, pages=outcome.pages)

    def count(self, counts: Counts) -> None:
        """Count what was read, and could not be judged, in a place."""
        self._tally.add(counts)

    async def ended(self, end: PlaceEnd) -> None:
        """Say that all targets of a place have their verdicts."""
        await self._tell(end)


class _Visit:
    """The state of one place while it is audited."""

    def __init__(self, rooms: PlaceAudit, place: Place, slot: Slot) -> None:
        self._rooms = rooms
        self._place = place
        self._target, *others = place.targets
        self._counts = Counts()
        self._outcome = Outcome()
        self._failure: Failure | None = _NOT_KNOWN
        self._judge = rooms.begin(self._target)
        self._reader = rooms.readers.reader(self._target, self._outcome, slot)
        self._readings = {
            target.source: Reading(
                target, lambda target, outcome: rooms.readers.reader(target, outcome, slot)
            )
            for target in others
        }
        self._joiner = Joiner(self._readings, rooms.asks) if others else None
        self.stopped: Failure | None = None
        """Why the run was cut off, where it was."""

    async def read(self) -> None:
        """Read the records to their end, and judge each with its facts."""
        try:
            self._failure = await self._read_records()
            if self._joiner is not None:
                await self._judge_all(await self._joiner.rest())
        except Exception as error:  # noqa: BLE001 -- a bug of ours must not hide the other places
            self._failure = internal_error(self._target, error)

    async def _read_records(self) -> Failure | None:
        try:
            async with aclosing(self._reader.pages()) as pages:
                async for page in pages:
                    records = [ExportRecord(raw) for raw in page]
                    del page  # nothing of it is held while the next one is awaited
                    self._counts.read(records)
                    if self._joiner is not None:
                        records = await self._joiner.join(records)
                    found = self._judge.judge(records)
                    del records
                    await self._rooms.report(self._target, found)
                    del found
        except CallFailed as failed:
            say_failed(self._target, failed)
            return failed.failure
        return None

    async def _judge_all(self, records: list[ExportRecord]) -> None:
        await self._rooms.report(self._target, self._judge.judge(records))

    async def settle(self) -> None:
        """Conclude from what was read, and give each target its verdict."""
        failure = self.stopped or self._failure
        try:
            if self._joiner is not None and failure is not None:
                await self._judge_all(self._joiner.unjoined(failure.reason))
            await self._rooms.report(self._target, self._judge.conclude(complete=failure is None))
        except Exception as error:  # noqa: BLE001 -- as above
            failure = internal_error(self._target, error)
        self._counts.judged(self._judge)
        self._rooms.count(self._counts)
        self._outcome.unjudged = self._judge.unjudged or None
        self._rooms.settle(self._target, self._outcome, failure)
        for reading in self._readings.values():
            self._rooms.settle(reading.target, reading.outcome, self._why_not(reading, failure))
        if self.stopped is None:
            await self._rooms.ended(PlaceEnd(self._place, self._counts, self._reader.was_read))

    def _why_not(self, reading: Reading, records: Failure | None) -> Failure | None:
        """Return why a source of facts was not read as far as it would have been, or None where it was.

        :param records: why the records were not read to their end.
        """
        if reading.failure is not None or records is None:
            return reading.failure
        if (
            self.stopped is not None
            or not self._outcome.requests
            or records.reason is Reason.REGION_NOT_ENABLED
        ):
            return records  # what kept the records from being asked for keeps this too
        return dependency_failed(records.reason, records.error_code)


def _say_crashed(target: Target, crash: Crash) -> None:
    log.error(
        "policy crashed; what it looked at is unjudged",
        **where(target),
        policy=crash.policy,
        error=shown(crash.told),
        exc_info=crash.error,
    )
