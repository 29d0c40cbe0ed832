"""The pipeline: the one module that starts tasks.

::

    plan ── a slot for each place ──> audit the place ── findings ──> history ──> outputs
                                            └── verdicts ──> ledger

A place is an account and a Region, with its targets. Places are started in the order of the plan.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from auditor.audit.asking import AskingAWS
from auditor.audit.books import open_books
from auditor.audit.checkpoint import Checkpoint
from auditor.audit.closing import Alongside, Audited, close
from auditor.audit.crew_opening import open_crew
from auditor.audit.findings import FindingMaker
from auditor.audit.folder import made_folder
from auditor.audit.grouping import one_exception
from auditor.audit.options import Observer, Progress, RunOptions
from auditor.audit.place import PlaceAudit
from auditor.audit.places import audit_places
from auditor.audit.preparing import begin, header_of, prepare
from auditor.audit.published import lightsails_word
from auditor.audit.remembering import Memory, looking, remembered
from auditor.audit.resuming import set_aside, settle_done
from auditor.audit.shard_results import ShardResults
from auditor.audit.start import run_start
from auditor.audit.stopping import Stopping
from auditor.audit.telling import Teller
from auditor.audit.writing import Writer
from auditor.aws.opt_in import EnabledRegions
from auditor.errors import InterruptedRun, SinkError
from auditor.evidence.kms import open_kms
from auditor.model import Outcome
from auditor.policies import Panel
from auditor.telemetry import now, open_telemetry

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.streams.memory import MemoryObjectSendStream

    from auditor.audit.books import Books
    from auditor.audit.crew import Crew
    from auditor.audit.keeping import Keeper
    from auditor.audit.preparing import Ready, Run
    from auditor.audit.record import Result
    from auditor.audit.remembering import Remembered
    from auditor.audit.telling import Told
    from auditor.aws.slots import Slot
    from auditor.config import Config
    from auditor.formats import RunStart
    from auditor.model import Failure, Place
    from auditor.telemetry import Telemetry


async def audit(
    config: Config, options: RunOptions | None = None, observer: Observer | None = None
) -> Result:
    """Audit what the configuration names, and return what came of it; its files are written by then.

    :raises UsageError: where the run can't be begun as asked; nothing is written then.
    """
    with one_exception():
        return await _audit(begin(config, options or RunOptions()), observer or Observer())


async def _audit(run: Run, observer: Observer) -> Result:
    stopping, began = Stopping(run), now()
    async with anyio.create_task_group() as around:
        if run.options.handle_signals:
            await around.start(stopping.watch_signals)
        async with AsyncExitStack() as stack:
            with stopping.preparing:
                remembers = await stack.enter_async_context(remembered(run))
                keeper = await _keeper(run, stack)
                ready = await prepare(run, stack, keeper)
                crew = await open_crew(run, ready.plan, stopping, stack)
            if stopping.signal is not None:
                raise InterruptedRun(int(stopping.signal))
            books = open_books(run, ready.plan)
            start = run_start(run.id, run.now, run.config, run.options.filters, ready.plan.policies)
            if remembers is not None:
                start = replace(start, past=remembers.past)
            if run.resumed is not None:
                settle_done(run.resumed, ready.plan, books)
            told = stack.enter_context(open_telemetry(start, began)) if run.options.telemetry else None
            outputs = _open_outputs(run, ready, start, remembers, keeper, stack)
            writer, checkpoint = outputs.writer, outputs.checkpoint
            stopping.limit(writer.patience)
            memory = Memory(remembers, looking(run, books), writer.patience) if remembers else None
            if observer.interval is not None:
                around.start_soon(_tell_progress, observer, observer.interval, books, run.began_at)
            teller = Teller(writer, books, memory, checkpoint, told)
            pipeline = _Pipeline(run, ready, books, stopping, told, crew)
            if run.resumed is not None and outputs.before is not None:
                await teller.tell_again(run.resumed, outputs.before, pipeline.to_audit)
            audited = await pipeline.run(teller, observer)
            await teller.conclude()
            result = await close(audited, writer, stopping, Alongside(memory, told, keeper))
            if not result.is_cut_off:
                checkpoint.remove()
            if told is not None:
                await to_thread.run_sync(told.end, result.record, books.ledger.lines())
        around.cancel_scope.cancel()
    return result


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What a run writes in its folder."""

    writer: Writer
    checkpoint: Checkpoint
    before: Path | None
    """Where what it told before it died was set aside; None where it did not."""


def _open_outputs(  # noqa: PLR0913, PLR0917 -- all that has something to write
    run: Run,
    ready: Ready,
    start: RunStart,
    remembers: Remembered | None,
    keeper: Keeper | None,
    stack: AsyncExitStack,
) -> _Outputs:
    """Make the run's folder, and open what is written there; where that fails nothing is left of it."""
    with made_folder(run.folder):
        before = set_aside(run.resumed) if run.resumed else None
        # Before all else, so that a run that dies here can go on too.
        secure = keeper.secure if keeper is not None else None
        checkpoint = stack.enter_context(
            Checkpoint(run.folder, header_of(run), aside=run.resumed is not None, before=secure)
        )
        try:
            if keeper is not None:
                keeper.begin(ready, remembers.run.evidence_before if remembers else None)
            writer = stack.enter_context(Writer(run.folder, run.options.formats, start))
        except SinkError:
            checkpoint.remove()
            if keeper is not None:
                keeper.discard()
            raise
    return _Outputs(writer, checkpoint, before)


async def _keeper(run: Run, stack: AsyncExitStack) -> Keeper | None:
    asked = run.options.evidence
    if asked is None:
        return None
    from auditor.audit.keeping import Keeper  # noqa: PLC0415 -- an extra

    signer = run.signer
    if asked.kms is not None:
        kms = open_kms(asked.kms, request_timeout=run.request_timeout, allow_http=run.options.allow_http)
        signer = await stack.enter_async_context(kms)
    return Keeper(run, signer)


async def _tell_progress(observer: Observer, interval: float, books: Books, began_at: float) -> None:
    while True:
        progress = Progress(
            done=books.ledger.settled,
            planned=books.ledger.planned,
            findings=books.tally.findings,
            requests=books.ledger.requests,
            elapsed_s=anyio.current_time() - began_at,
        )
        observer.progress(progress)
        await anyio.sleep(interval)


class _Pipeline:
    """The places of one run, on their way through its slots."""

    def __init__(  # noqa: PLR0913, PLR0917 -- all that a run is made with
        self,
        run: Run,
        ready: Ready,
        books: Books,
        stopping: Stopping,
        told: Telemetry | None,
        crew: Crew | None,
    ) -> None:
        self._told = told
        self._crew = crew
        self._run = run
        self._ready = ready
        self._books = books
        self._stopping = stopping
        done = run.resumed.places if run.resumed else {}
        self._places = [place for place in ready.plan.places if _key(place) not in done]

    @property
    def to_audit(self) -> frozenset[tuple[str, str]]:
        """The account and Region of each place that is audited now."""
        return frozenset(map(_key, self._places))

    async def run(self, teller: Teller, observer: Observer) -> Audited:
        """Audit every place that there is time for, and give every target its verdict."""
        run, ready, ledger = self._run, self._ready, self._books.ledger
        send, receive = anyio.create_memory_object_stream["Told"](run.concurrency)
        for target, failure in ready.plan.settled.items():
            ledger.settle(target, Outcome(), failure)
        observer.ready()
        published: frozenset[str] | None = None
        lost: Failure | None = None
        async with anyio.create_task_group() as writing:
            writing.start_soon(teller.serve, receive)
            async with send:
                with self._stopping.work:
                    lost = await self._audit_places(send)
                    published = await lightsails_word(ready, ledger, run.request_timeout)
        if self._stopping.work.cancel_called:
            ledger.settle_the_rest(self._stopping.why())
        elif lost is not None:
            ledger.settle_the_rest(lost)
        return Audited(run, ready, self._books, published)

    def _place_audit(self, send: MemoryObjectSendStream[Told]) -> PlaceAudit:
        run, ready, books = self._run, self._ready, self._books
        plan = ready.plan
        return PlaceAudit(
            readers=AskingAWS(
                ready.clients,
                ready.roles,
                EnabledRegions(ready.clients, run.request_timeout, ready.paces),
                ready.paces,
                run.request_timeout,
            ),
            # Where the organisation could not be read, its accounts are not among one's own: public-export with
            # sharing: true, which alone looks at these, tells of them too, beside the gap that says why.
            panel=Panel(run.entries, plan.policies, run.now, plan.own_accounts),
            maker=FindingMaker(run.id, run.now, run.entries, plan.policies, books.waivers),
            ledger=books.ledger,
            tally=books.tally,
            tell=lambda told: _tell(send, told),
            why_stopped=self._stopping.why,
        )

    async def _audit_places(self, send: MemoryObjectSendStream[Told]) -> Failure | None:
        """Audit the places, here or by the crew; return why the rest of them could not be, where there is a rest."""
        if self._crew is not None:
            results = ShardResults(self._books, lambda told: _tell(send, told), self._told)
            return await self._crew.audit(self._places, results, self._run.ends_at, self._stopping.why)
        audit = self._place_audit(send)

        async def one(place: Place, slot: Slot) -> None:
            began = now() if self._told else 0
            try:
                await audit.audit(place, slot)
            finally:
                if self._told is not None:
                    self._told.place(place, began, self._books.ledger.outcomes(*_key(place)) or {})

        await audit_places(self._places, one, self._ready.in_flight, self._run.concurrency)
        return None


def _key(place: Place) -> tuple[str, str]:
    return place.account.id, place.region


async def _tell(send: MemoryObjectSendStream[Told], told: Told) -> None:
    """Hand on what a place tells, even as the run is cut off: what was found in time is found.

    It is taken soon: an output that does not take it is given up on.
    """
    try:
        send.send_nowait(told)  # which costs no turn of the event loop, as send does
    except anyio.WouldBlock:
        with anyio.CancelScope(shield=True):
            await send.send(told)
