"""The history of a run, from the event loop: its calls block, so they are made in a thread, one at a time."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from anyio import to_thread

from auditor.audit.delivering import deliver, unnamed
from auditor.audit.start import PAST_RUNS, past_runs
from auditor.aws.objects import open_objects
from auditor.config import S3Store
from auditor.errors import SinkError, UsageError
from auditor.formats import formats
from auditor.history import Begun, Destination, Look, in_s3, judged_by, open_history
from auditor.model import rfc3339, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    import anyio

    from auditor.audit.books import Books
    from auditor.audit.place import PlaceEnd
    from auditor.audit.preparing import Run
    from auditor.audit.writing import Patience
    from auditor.aws.objects import Objects
    from auditor.delivery import DeadLetters, Report
    from auditor.delivery.contract import AnyDestination
    from auditor.formats import PastRun
    from auditor.history import Event
    from auditor.history.in_s3 import Fetched
    from auditor.history.opening import History
    from auditor.history.run import OpenRun
    from auditor.model import Finding

log = structlog.get_logger()

T = TypeVar("T")

_NO_ANSWER = "S3 did not say in time whether it took it, and the run had to end"


@dataclass(frozen=True, slots=True)
class Remembered:
    """The open history, and the run in it."""

    history: History
    run: OpenRun
    stays: bool
    """Whether what it remembers of a run that is cut off stays: what was fetched is not put back then."""
    past: Sequence[PastRun]
    """Earlier runs, the oldest first, where a format wants them."""
    put_back: Callable[[Path, Patience], Awaitable[None]]
    """Closes it, and puts it back where it was fetched from; the folder is where it is kept where that fails."""


@asynccontextmanager
async def remembered(run: Run) -> AsyncIterator[Remembered | None]:
    """Open the history, where there is to be one, and begin the run in it; nobody else writes until the block ends.

    :raises UsageError: where it can't be used, or another run is at it.
    """
    settings = run.config.history
    if settings is None:
        yield None
        return
    with ExitStack() as stack:
        fetched: Fetched | None = None
        if isinstance(settings.store, S3Store):
            fetched = await _fetch(run, settings.store, stack)
            settings = replace(settings, store=fetched.store)
        opening = stack.enter_context(ExitStack())

        async def put_back(keep: Path, patience: Patience) -> None:
            opening.close()
            if fetched is None:
                return
            with patience.wait() as waiting:
                async with _objects(run) as objects:
                    await in_s3.put_back(objects, fetched, keep=keep)
            if waiting.cancelled_caught:
                raise SinkError(in_s3.kept(fetched, keep, _NO_ANSWER))

        history = await to_thread.run_sync(
            opening.enter_context, open_history(settings, holder=f"run {run.id}")
        )
        begun = await to_thread.run_sync(history.begin, _begun(run))
        wanted = any(formats()[request.name].wants_past for request in run.options.formats)
        past = await to_thread.run_sync(_past, history, run.id) if wanted else ()
        yield Remembered(history, begun, fetched is None, past, put_back)


def _past(history: History, run_id: str) -> tuple[PastRun, ...]:
    """Return the runs before this one that have finished, the oldest first."""
    from auditor.history.reading import run_lines  # noqa: PLC0415 -- SQLAlchemy, which is there with a history alone

    return past_runs(run_lines(history.database, PAST_RUNS), run_id)


def _begun(run: Run) -> Begun:
    return Begun(
        run.id,
        rfc3339(run.now),
        run.config.digest,
        "subset" if run.options.filters else "full",
        judged_by(run.entries, run.policies),
        [Destination(each.name, changes_only=each.settings.send == "changes") for each in run.destinations],
        goes_on=run.resumed is not None,
    )


async def _fetch(run: Run, store: S3Store, stack: ExitStack) -> Fetched:
    if run.resumed is not None:
        # The copy that knew what it told was on its machine alone.
        text = "a run whose history is in S3 can't be gone on with; begin a new one"
        raise UsageError(f"--resume {shown(str(run.folder))}: {text}")
    folder = stack.enter_context(TemporaryDirectory(prefix="auditor-"))
    async with _objects(run) as objects:
        return await in_s3.fetch(objects, store, Path(folder))


def _objects(run: Run) -> AbstractAsyncContextManager[Objects]:
    return open_objects(request_timeout=run.request_timeout, allow_http=run.options.allow_http)


class Memory:
    """Tells how findings stand in their life. After its first failure it knows nothing more, and keeps why."""

    def __init__(self, opened: Remembered, look: Look, patience: Patience) -> None:
        self._history = opened.history
        self._run = opened.run
        self._put_back = opened.put_back
        self._look = look
        self.stays = opened.stays
        """Whether what it remembers of a run that is cut off stays."""
        self._patience = patience
        self.error: str | None = None

    async def see(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Return these findings with their status; as they are where it can't be told."""
        return await self._try(self._run.see, findings, otherwise=findings)

    async def settle(self, ends: Sequence[PlaceEnd]) -> list[Finding]:
        """Return the findings of these places that were open, and were not found."""

        def settled() -> list[Finding]:
            return [
                finding for end in ends for finding in self._run.settle(end.place, self._look, end.was_read)
            ]

        return await self._try(settled, otherwise=[])

    async def conclude(self) -> AsyncIterator[list[Finding]]:
        """Yield the findings that no place has told of."""
        async for batch in self._each(self._run.conclude(self._look)):
            yield batch

    async def told(self) -> AsyncIterator[list[Finding]]:
        """Yield what the run has told of so far, as it was told."""
        async for batch in self._each(self._run.told()):
            yield batch

    async def finish(
        self,
        record: Mapping[str, Any],
        coverage: Iterable[Mapping[str, Any]],
        events: Sequence[Event],
        evidence: str | None = None,
    ) -> None:
        """End the run in the history; these are the last events that are to be sent of it.

        :param evidence: what its evidence is known by, where it kept any.
        """
        await self._try(self._run.finish, record, coverage, events, evidence, otherwise=None)

    async def deliver(
        self,
        destinations: Sequence[AnyDestination],
        dead_letters: DeadLetters,
        within: timedelta | None,
        interrupted: anyio.CancelScope,
    ) -> list[Report]:
        """Send what is due, of earlier runs too; return what became of it.

        :param within: how long each destination may take; None is its own `drain`.
        :param interrupted: its cancellation ends the sending, or lets none begin.
        """
        if self.error is not None or not destinations:
            return []
        outbox = self._history.outbox
        reports = await deliver(outbox, destinations, dead_letters, within, interrupted)
        if not interrupted.cancel_called:
            return reports
        none: dict[str, int] | None = None
        left = await self._try(outbox.left, otherwise=none)
        if left is None:
            return reports
        return [replace(report, left=left.get(report.destination, 0)) for report in reports]

    async def tell_unnamed(self, destinations: Sequence[AnyDestination]) -> None:
        """Say what waits for destinations that the configuration no longer names."""
        none: dict[str, int] = {}
        left = await self._try(self._history.outbox.left, otherwise=none)
        if lines := unnamed(left, destinations):
            log.warning("events wait for a destination that is not named", left="; ".join(lines))

    async def exits_with(self, exit_code: int) -> None:
        """Note how the run ends, now that it is known what could not be delivered."""
        await self._try(self._run.exits_with, exit_code, otherwise=None)

    async def let_go(self, keep: Path) -> None:
        """Close the history, and put it back where it was fetched from.

        :param keep: where it is kept where that fails.
        """
        if self.error is None:
            try:
                await self._put_back(keep, self._patience)
            except (SinkError, UsageError) as error:
                self._fail(str(error))

    async def _each(self, batches: Iterator[list[Finding]]) -> AsyncIterator[list[Finding]]:
        none: list[Finding] = []
        while batch := await self._try(next, batches, none, otherwise=none):
            yield batch

    async def _try(self, act: Callable[..., T], *arguments: Any, otherwise: T) -> T:
        if self.error is not None:
            return otherwise
        with self._patience.wait() as waiting:
            try:
                # Its thread is left alone when its time is over: a database that does not answer can't be ended.
                return await to_thread.run_sync(act, *arguments, abandon_on_cancel=True)
            except SinkError as error:
                self._fail(str(error))
        if waiting.cancelled_caught:
            self._patience.ran_out = True
            self._fail("the history did not answer, and the run had to end")
        return otherwise

    def _fail(self, why: str) -> None:
        self.error = why
        log.error("history failed; it knows no more of this run", error=why)


def looking(run: Run, books: Books) -> Look:
    """Return what a run looks at."""
    return Look(
        policies=judged_by(run.entries, run.policies),
        outcomes=books.ledger.outcomes,
        accounts=books.ledger.accounts(),
        filters=run.options.filters,
        switched_off=[name for name, chosen in run.config.policies.items() if not chosen.enabled],
        waive=books.waivers.waive,
    )
